"""The pieces of a run, put together: stored data, batches, network, optimizers, schedule and precision, as one frozen record."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from leadline.data.batches import Batches
from leadline.data.settings import AugmentSpec
from leadline.data.store import Store, build_store
from leadline.evaluate.evaluate import predict_all, scores
from leadline.flow.prepare import Prepared, model_options, with_train
from leadline.models import adapt, build
from leadline.recipe import Recipe
from leadline.record.ports import Classes
from leadline.training.attention import WAYS, measure_attention, set_way, switchable
from leadline.training.distributed import World
from leadline.training.measure import candidates_for, measure
from leadline.training.optim import Optimizers, build_optimizers
from leadline.training.precision import Precision, check_device
from leadline.training.schedule import plan
from leadline.training.threads import measure_threads

ROWS_AT_ONCE = 1024  # examples per evaluation batch: rows of a table
IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Rig:
    """What `fit` is called with. recipe: wholly resolved; measured: milliseconds per step of each precision tried, empty when none was."""

    prepared: Prepared
    recipe: Recipe
    device: torch.device
    world: World
    store: Store
    batches: Batches
    model: nn.Module
    optimizers: Optimizers
    schedule: list[float]
    precision: Precision
    measured: dict[str, Any]

    @property
    def at_once(self) -> int:
        """Examples per evaluation batch."""
        return IMAGES_AT_ONCE if self.prepared.facts.kind == "images" else ROWS_AT_ONCE

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores on the validation examples, in the precision of training."""
        batches = map(self.precision.arrange, self.batches.sequential(self.prepared.split.val, self.at_once))
        found = predict_all(model, self.prepared.task, batches=batches, autocast=self.precision.autocast(self.device))
        return {name: score for name, score in scores(found, self.prepared.task).items() if score is not None}

    def unfreeze(self, epoch: int) -> None:
        """Let one more stage of a frozen network learn where the recipe says so."""
        every = self.recipe.model.unfreeze_every
        if every is not None:
            adapt.unfrozen_at(self.model, epoch, every=every)

    def short(self, rows: np.ndarray, *, batch_size: int) -> Batches:
        """Training batches, as in the run, over a few of its examples."""
        return training_batches(self.prepared, self.recipe, self.store, rows=rows, batch_size=batch_size, world=World())


def set_up(prepared: Prepared, *, folder: Path | None, world: World, say: Callable[[str], None]) -> Rig:
    """Decode the data, build the network and choose the precision. folder: where a disk cache may stand."""
    recipe, device = prepared.recipe, torch.device(prepared.device)
    store = build_store(
        prepared.examples,
        prepared.preparer,
        recipe.data.cache,
        device=device,
        folder=folder,
        workers=recipe.data.workers,
        processes=world.size,
    )
    say(f"data: {store.kind} ({store.reason})")
    return assemble(prepared, store, world=world)


def changed(rig: Rig, recipe: Recipe) -> Rig:
    """The same data under other settings of `train` or `model`: batches, network, optimizers and schedule are made anew."""
    return assemble(replace(rig.prepared, recipe=recipe), rig.store, world=rig.world)


def assemble(prepared: Prepared, store: Store, *, world: World) -> Rig:
    """All but the stored data."""
    recipe, device = prepared.recipe, torch.device(prepared.device)
    batch_size = _number(recipe.train.batch_size)
    batches = training_batches(prepared, recipe, store, rows=prepared.split.train, batch_size=batch_size, world=world)
    model = _network(prepared, recipe, device)
    recipe, threads = _threads(prepared, recipe, model, batches=batches, world=world)
    recipe, precision, measured = _precision(prepared, recipe, model, batches=batches, world=world)
    recipe, ways = _attention(prepared, recipe, model, batches=batches, world=world, precision=precision)
    precision.lay_out(model)
    world.share(model)
    optimizers = build_optimizers(model, recipe.train.optimizer, device=device)
    epochs, peak = _number(recipe.train.epochs), float(recipe.train.optimizer.lr)
    schedule = plan(recipe.train.schedule, steps=epochs * batches.steps, steps_per_epoch=batches.steps, peak=peak)
    rates = [float(lr) for lr in schedule]
    return Rig(prepared, recipe, device, world, store, batches, model, optimizers, rates, precision, {**threads, **measured, **ways})


def training_batches(prepared: Prepared, recipe: Recipe, store: Store, *, rows: np.ndarray, batch_size: int, world: World) -> Batches:
    """Batches over the training examples `rows` as the recipe says: shuffled, augmented, oversampled."""
    settings, gives = recipe.train, prepared.task.gives
    targets = torch.from_numpy(prepared.targets)
    return Batches(
        store,
        prepared.preparer,
        indices=rows,
        targets=targets,
        batch_size=batch_size,
        seed=settings.seed,
        augment=settings.augment if isinstance(settings.augment, AugmentSpec) else None,
        num_classes=gives.num_classes if isinstance(gives, Classes) else None,
        rank=world.rank,
        world=world.size,
        oversample=prepared.targets if settings.oversample else None,
    )


def copy_of(rig: Rig) -> tuple[nn.Module, Optimizers]:
    """The network as it is now and fresh optimizers for it, to try things on."""
    model = copy.deepcopy(rig.model)
    return model, build_optimizers(model, rig.recipe.train.optimizer, device=rig.device)


def _network(prepared: Prepared, recipe: Recipe, device: torch.device) -> nn.Module:
    spec = recipe.model
    model = build.build(
        spec.name, model_options(recipe), prepared.preparer.gives, prepared.task.gives, seed=recipe.train.seed, pretrained=spec.pretrained
    )
    if spec.freeze == "backbone":
        adapt.freeze_backbone(model)
    return model.to(device)


def _threads(prepared: Prepared, recipe: Recipe, model: nn.Module, *, batches: Batches, world: World) -> tuple[Recipe, dict[str, Any]]:
    """Set torch's threads as the recipe says, or as measured on one real batch; a resumed run takes the number it was started with.

    Of several processes all measure, as all will compute at once, and all take what the first one chose.
    """
    threads, measured = recipe.train.threads, {}
    if threads == "auto":
        sample = batches.example_batch(min(_number(recipe.train.batch_size), len(prepared.split.train)))
        chosen, measured = measure_threads(model, prepared.task, sample, device=torch.device(prepared.device))
        threads = int(world.told([chosen])[0])
    torch.set_num_threads(threads)
    return with_train(recipe, threads=threads), {"ms_by_threads": measured} if measured else {}


def _precision(
    prepared: Prepared, recipe: Recipe, model: nn.Module, *, batches: Batches, world: World
) -> tuple[Recipe, Precision, dict[str, Any]]:
    """The recipe with precision, layout and matmul chosen: what the user gave stays, the rest is measured on one real batch."""
    settings, device = recipe.train, torch.device(prepared.device)
    if settings.precision != "auto":
        check_device(settings.precision, device)
    sample = batches.example_batch(min(_number(settings.batch_size), len(prepared.split.train)))
    fitting = [each for each in candidates_for(sample, device) if _as_asked(each, recipe)]
    if not fitting:
        fixed = Precision(
            "fp32" if settings.precision == "auto" else settings.precision,
            channels_last=settings.channels_last is True,
            matmul="highest" if settings.matmul == "auto" else settings.matmul,
        )
        fitting = [fixed]
    measured: dict[str, Any] = {}
    chosen = fitting[0]
    if len(fitting) > 1:
        choice = measure(model, prepared.task, sample, device=device, candidates=fitting)
        chosen = fitting[int(world.told([fitting.index(choice.chosen)])[0])]  # one choice for all processes: the first one's
        measured = {"ms_per_step": choice.evidence, "chosen": chosen.to_dict()}
    values = {"precision": chosen.name, "channels_last": chosen.channels_last, "matmul": chosen.matmul}
    return with_train(recipe, **values), chosen, measured


def _attention(
    prepared: Prepared, recipe: Recipe, model: nn.Module, *, batches: Batches, world: World, precision: Precision
) -> tuple[Recipe, dict[str, Any]]:
    """Have attention computed as the recipe says, or as measured on one real batch; a resumed run takes the way it was started with."""
    way, measured = recipe.train.attention, {}
    if way == "auto" and switchable(model):
        sample = batches.example_batch(min(_number(recipe.train.batch_size), len(prepared.split.train)))
        best, measured = measure_attention(model, prepared.task, sample, device=torch.device(prepared.device), precision=precision)
        way = WAYS[int(world.told([WAYS.index(best)])[0])]
    way = "fused" if way == "auto" else way
    set_way(model, way)
    return with_train(recipe, attention=way), {"ms_by_attention": measured} if measured else {}


def _as_asked(precision: Precision, recipe: Recipe) -> bool:
    settings = recipe.train
    pairs = ((settings.precision, precision.name), (settings.channels_last, precision.channels_last), (settings.matmul, precision.matmul))
    return all(asked in ("auto", value) for asked, value in pairs)


def _number(value: int | str) -> int:
    assert isinstance(value, int), "resolved before the run"
    return value
