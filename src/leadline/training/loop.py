"""The loop, one for all tasks: steps, epochs, validation, the best kept, and a run that goes on bit for bit after any stop.

`fit` sets the pieces up; `Training.run` tells the story, epoch by epoch. One step is in `step.py`, its numbers are in `meter.py`.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from leadline.base.errors import InputError, LeadlineError, Stopped
from leadline.doctor.ears import tell
from leadline.record.batch import Batch
from leadline.tasks.task import Task
from leadline.training import generators
from leadline.training.accidents import Accidents, Buffers
from leadline.training.batch_norm import has_batch_norm, synchronise
from leadline.training.checkpoint import Checkpoints, Saved
from leadline.training.distributed import World
from leadline.training.ema import Average
from leadline.training.feed import Feed
from leadline.training.keep import Keeper
from leadline.training.meter import Journal, Meter, Silent
from leadline.training.network import compile_errors, network_of
from leadline.training.optim import Optimizers
from leadline.training.precision import Precision
from leadline.training.progress import Progress, Verdict
from leadline.training.schedule import Plateau
from leadline.training.settings import EarlyStopSpec, TrainSpec
from leadline.training.state import Moving, Place
from leadline.training.step import Stepper
from leadline.training.update import Updater, can_decide_on_device
from leadline.training.watchers import Epoch, Watchers

ALONE = World()
Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Fitted:
    """What came of it. best: the validation score that picked the weights that the model now has; None without validation.

    parts: micro-batches per step at the end; events: what happened besides training (memory ran out, steps left out, rate dropped).
    """

    step: int
    epochs: int
    best: float | None
    best_step: int | None
    stopped_early: bool
    parts: int
    events: tuple[dict[str, Any], ...]
    seconds: float


def fit(
    model: nn.Module,
    task: Task,
    batches: Feed,
    settings: TrainSpec,
    *,
    optimizers: Optimizers | Mapping[str, Optimizers],
    schedule: Sequence[float],
    precision: Precision,
    device: torch.device,
    journal: Journal,
    checkpoints: Checkpoints | None,
    validate: Validate | None,
    stop: Callable[[], bool] = lambda: False,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_event: Callable[[dict[str, Any]], None] | None = None,
    unfreeze: Callable[[int], None] | None = None,
    name_of: Callable[[int], str] = str,
    world: World = ALONE,
    state: Saved | None = None,
    leave_out: frozenset[int] = frozenset(),
) -> Fitted:
    """Train `model` in place and leave the best weights in it (averaged ones under EMA; without validation or checkpoints, the last).

    settings: no "auto" left. optimizers: of the model, or by the part that a loss names. schedule: the rate of every step. validate: scores
    of the model as it stands (averaged weights are swapped in). stop, on_epoch, on_event, unfreeze, name_of: see `Watchers`. state: the
    checkpoint to go on from; the journal is cut back to it. leave_out: numbers of steps that are counted and not made.

    Raises Stopped LL037 (state saved), LeadlineError LL031 (not finite), LL032 (memory), LL008 (disk), InputError LL012, LL022, LL030.
    """
    _check(model, settings, validate=validate)
    if isinstance(optimizers, Optimizers):
        optimizers = {"model": optimizers}
    moving = _moving(model, task, settings, optimizers=optimizers, precision=precision, device=device, world=world)
    place = Place(parts=settings.accumulate)
    agree(world, None if state is None else state.step)
    if state is None:
        _begin(moving, settings)
    else:
        place = moving.restore(state.tensors, state.state)
    if world.is_main:
        journal.cut(0 if state is None else state.state["journal"])  # a run killed before its first save begins again
    training = Training(
        task,
        batches,
        settings,
        [float(lr) for lr in schedule],
        precision=precision,
        moving=moving,
        place=place,
        journal=journal if world.is_main else Silent(),
        checkpoints=checkpoints,
        validate=validate,
        watchers=Watchers(stop, on_epoch, on_event, unfreeze, name_of),
        leave_out=leave_out,
    )
    with compile_errors(settings), precision.matmuls():
        return training.run()


class Training:
    """A run under way: what `fit` set up, and where it stands."""

    def __init__(
        self,
        task: Task,
        batches: Feed,
        settings: TrainSpec,
        schedule: list[float],
        *,
        precision: Precision,
        moving: Moving,
        place: Place,
        journal: Journal,
        checkpoints: Checkpoints | None,
        validate: Validate | None,
        watchers: Watchers,
        leave_out: frozenset[int] = frozenset(),
    ) -> None:
        """schedule: the rate of every step. moving, place: what training changes, and where it stands."""
        self.leave_out = leave_out
        model, world = moving.model, moving.world
        self.task, self.batches, self.schedule = task, batches, schedule
        self.moving, self.place, self.journal, self.validate, self.watchers = moving, place, journal, validate, watchers
        self.epochs = len(schedule) // batches.steps
        on_device = can_decide_on_device(moving.optimizers, settings, moving.device)
        self.updater = Updater(settings, scaler=moving.scaler, device=moving.device, on_device=on_device)
        network = network_of(model, settings)
        self.stepper = Stepper(network, task, moving.optimizers, updater=self.updater, precision=precision, world=world, parts=place.parts)
        self.meter = Meter(journal, total_steps=len(schedule), names=[name for name, _ in model.named_parameters()])
        self.keeper = Keeper(moving, place, journal=journal, checkpoints=checkpoints, every_s=settings.checkpoint_every_s)
        self.accidents = Accidents(
            model,
            task,
            batches,
            precision=precision,
            place=place,
            watchers=watchers,
            meter=self.meter,
            updater=self.updater,
            buffers=Buffers(model) if settings.on_nonfinite == "skip" else None,
            replay=world.size == 1 or not has_batch_norm(model),
        )

    def run(self) -> Fitted:
        """All epochs that are left; then the best weights go into the model."""
        while self.place.epoch < self.epochs and not self.place.over:
            self._epoch()
            self._end_epoch()
        self.keeper.put_best()
        place, progress = self.place, self.moving.progress
        return Fitted(
            step=place.step,
            epochs=place.epoch,
            best=progress.best,
            best_step=None if progress.best is None else progress.best_step,
            stopped_early=place.over and place.epoch < self.epochs,
            parts=place.parts,
            events=tuple(place.events),
            seconds=self.keeper.count_seconds(),
        )

    def _epoch(self) -> None:
        """The steps that are left of the present epoch."""
        if self.watchers.unfreeze is not None:
            self.watchers.unfreeze(self.place.epoch)
        self.moving.model.train()
        tell("on_loader", self.batches)
        for batch in self._fetch():
            stop, save = self._step(batch)
            if stop or save:
                self.accidents.flush()
                self.keeper.save()
            elif self.meter.is_due:
                self.accidents.flush()
            if stop:
                raise _stopped(self.place.step, of=len(self.schedule))

    def _fetch(self) -> Iterator[Batch]:
        """The batches that are left of the epoch. Starting workers may draw from torch's generator; a resumed run starts them once more."""
        with generators.kept(self.moving.device):
            stream = iter(self.batches.epoch(self.place.epoch, self.place.position))
            first = list(itertools.islice(stream, 1))
        return itertools.chain(first, stream)

    def _step(self, batch: Batch) -> tuple[float, float]:
        """One step and its row; whether all processes now stop, and whether they save."""
        place, alone = self.place, self.moving.world.size == 1
        step = place.step + 1
        if step in self.leave_out:
            place.step, place.position = step, place.position + 1
            self.accidents.tell({"kind": "left_out", "step": step})
            return self._wishes()
        tell("on_batch", self.batches, (*batch.inputs, batch.target))
        lr = self.schedule[place.step] * self.moving.plateau.factor
        for optimizers in self.moving.optimizers.values():
            optimizers.set_lr(lr)
        self.accidents.before_step()
        result = self.stepper.take(batch, step=step, votes=() if alone else self._wishes())
        place.step, place.position = step, place.position + 1
        self.meter.add(result.taken, step=step, epoch=place.epoch + 1, lr=lr)
        self.accidents.after_step(batch, result, parts=self.stepper.parts)
        if self.moving.average is not None and not result.taken.skipped:
            self.moving.average.update(step, skip=self.updater.skip)
        stop, save = self._wishes() if alone else result.votes
        return stop, save

    def _wishes(self) -> tuple[float, float]:
        """This process's votes: to stop because a signal came, and to save because it is time (the first process's clock decides)."""
        return float(self.watchers.stop()), float(self.keeper.is_due and self.moving.world.is_main)

    def _end_epoch(self) -> None:
        """Validate, judge, save, tell."""
        place, factor = self.place, self.moving.plateau.factor
        self.accidents.flush()
        train_loss = self.meter.end_epoch()
        scores, verdict = self._validated()
        place.epoch, place.position, place.over = place.epoch + 1, 0, verdict.over
        self.keeper.save(best=verdict.is_best)
        self.meter.restart_clock()
        if self.watchers.on_epoch is not None:
            lr = self.schedule[place.step - 1] * factor
            told = Epoch(place.epoch, self.epochs, place.step, train_loss, scores, lr, verdict.is_best, place.seconds)
            self.watchers.on_epoch(told)

    def _validated(self) -> tuple[dict[str, float], Verdict]:
        """The scores of this epoch, written and judged; the first process measures and tells the others the one that counts."""
        if self.validate is None:
            return {}, Verdict(is_best=False, over=False)
        place, world, average = self.place, self.moving.world, self.moving.average
        scores: dict[str, float] = {}
        with contextlib.nullcontext() if average is None else average.worn(), generators.kept(self.moving.device):
            if world.is_main:
                scores = self.validate(self.moving.model)
                self.journal.write([{"step": place.step, "epoch": place.epoch + 1, "split": "val", **scores}])
        (score,) = world.told([self._judged(scores) if world.is_main else 0.0])
        if self.moving.plateau.see(score):
            self.accidents.tell({"kind": "plateau", "step": place.step, "factor": self.moving.plateau.factor})
        return scores, self.moving.progress.see(score, step=place.step)

    def _judged(self, scores: dict[str, float]) -> float:
        """The score that picks the best weights."""
        name, _ = self.task.best
        if name not in scores:
            given = ", ".join(scores) or "no score"
            raise LeadlineError("LL023", f"task '{self.task.name}' picks the best by '{name}', and validation gave {given}")
        return scores[name]


def _check(model: nn.Module, settings: TrainSpec, *, validate: Validate | None) -> None:
    """Refuse what cannot be done, before anything is changed."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError("LL022", "the model has no weight that may learn: all are frozen, or there are none", where="recipe, model")
    needs = "train.schedule.name=plateau" if settings.schedule.name == "plateau" else "train.early_stop" if settings.early_stop else None
    if needs and validate is None:
        raise InputError("LL030", f"{needs} needs validation scores, and there is no validation split", help="set  data.split.val=0.15")


def _moving(
    model: nn.Module,
    task: Task,
    settings: TrainSpec,
    *,
    optimizers: Mapping[str, Optimizers],
    precision: Precision,
    device: torch.device,
    world: World,
) -> Moving:
    """Everything that training changes, laid out for it."""
    if world.size > 1:
        synchronise(model, device)
    precision.lay_out(model)
    for each in optimizers.values():
        each.match_layout()
    _, direction = task.best
    early_stop = settings.early_stop if isinstance(settings.early_stop, EarlyStopSpec) else None
    return Moving(
        model=model,
        optimizers=optimizers,
        average=None if settings.ema is None else Average(model, settings.ema),
        scaler=precision.scaler(device),
        progress=Progress(direction=direction, early_stop=early_stop),
        plateau=Plateau(settings.schedule, direction=direction),
        device=device,
        world=world,
    )


def _begin(moving: Moving, settings: TrainSpec) -> None:
    """A fresh start: equal settings draw equally; several processes have the same weights, and dropout that draws as one process would.

    On GPUs each draws for itself (see `shared_chance`). A seed beyond 32 bits differs there only: torch cuts it for a CPU.
    """
    moving.world.share(moving.model)
    random.seed(settings.seed)
    np.random.seed(settings.seed)
    torch.manual_seed(settings.seed + moving.world.rank * 2**32)


def agree(world: World, step: int | None) -> None:
    """Refuse to begin at different steps (None: at the first): processes that see different files would wait for each other for ever."""
    step = -1 if step is None else step
    if world.tally([step, step**2]) != [world.size * step, world.size * step**2]:
        raise LeadlineError("LL038", f"process {world.rank} would go on at step {step}, others elsewhere", where="checkpoints")


def _stopped(step: int, *, of: int) -> Stopped:
    return Stopped("LL037", f"stopped at step {step} of {of}; the state is saved", help="leadline resume RUN  goes on with the next step")
