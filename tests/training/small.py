"""Small real problems for the training tests: batches as a function of (seed, epoch), a task, and one call that fits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from leadline.record.batch import Batch
from leadline.record.journal import Journal
from leadline.tasks.kinds.classify_table import ClassifyTable
from leadline.training.checkpoint import Checkpoints, Saved
from leadline.training.distributed import World
from leadline.training.loop import Fitted, fit
from leadline.training.optim import Optimizers, build_optimizers
from leadline.training.precision import Precision
from leadline.training.schedule import plan
from leadline.training.settings import TrainSpec

CPU = torch.device("cpu")
LABELS = tuple(str(digit) for digit in range(10))


class Rows:
    """Batches of arrays in memory, in the order of a permutation drawn from (seed, epoch); a share of each when there are several ranks."""

    def __init__(
        self,
        inputs: torch.Tensor,
        target: torch.Tensor,
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        steps: int | None = None,
    ) -> None:
        self.inputs, self.target, self.batch_size, self.seed, self.rank, self.world = inputs, target, batch_size, seed, rank, world
        self.steps = steps or -(-len(target) // batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches from number `start` on."""
        order = torch.from_numpy(np.random.default_rng([self.seed, epoch]).permutation(len(self.target)))
        for step in range(start, self.steps):
            whole = order[step * self.batch_size : (step + 1) * self.batch_size]
            own = whole[len(whole) * self.rank // self.world : len(whole) * (self.rank + 1) // self.world]
            yield Batch((self.inputs[own],), self.target[own], own, total=len(whole))


def digits(*, images: bool = False, count: int = 512) -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's handwritten digits: (N, 64) in 0..1, or (N, 1, 8, 8) images, and their labels."""
    found = load_digits()
    rows = torch.tensor(found.data[:count] / 16.0, dtype=torch.float32)
    return rows.view(-1, 1, 8, 8) if images else rows, torch.tensor(found.target[:count], dtype=torch.int64)


def linear() -> nn.Module:
    """64 numbers to 10 logits."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 10))


def perceptron(*, dropout: float = 0.0, norm: bool = False) -> nn.Module:
    """One hidden layer of 32."""
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(32)] if norm else []
    return nn.Sequential(nn.Linear(64, 32), *middle, nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 10))


def convolutions() -> nn.Module:
    """A small net for 8-pixel images, with batch norm."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10)
    )


def settings(**changes: Any) -> TrainSpec:
    """Resolved settings: AdamW at 1e-2, constant, two epochs of 64, with any of them changed."""
    values: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 64,
        "optimizer": {"name": "adamw", "lr": 1e-2, "weight_decay": 0.01},
        "schedule": {"name": "constant", "warmup": 0},
        "precision": "fp32",
        "channels_last": False,
        "early_stop": None,
        "augment": "none",
    }
    values |= changes
    values["schedule"] = {"warmup": 0.05, **values["schedule"]}
    return TrainSpec.read(values, "test")


class Scores:
    """Validation on all rows: accuracy and loss in eval mode."""

    def __init__(self, inputs: torch.Tensor, target: torch.Tensor) -> None:
        self.inputs, self.target = inputs, target

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> dict[str, float]:
        """The scores of the model as it stands."""
        was = model.training
        logits = model.eval()(self.inputs)
        model.train(was)
        right = (logits.argmax(1) == self.target).double().mean()
        loss = float(nn.functional.cross_entropy(logits, self.target))
        return {"loss": loss, "log_loss": loss, "accuracy": float(right)}


@dataclass
class Run:
    """One training run in a folder of its own, started as often as a test likes."""

    folder: Path
    model: nn.Module
    rows: Rows
    spec: TrainSpec = field(default_factory=settings)
    task: Any = field(default_factory=lambda: ClassifyTable(LABELS))
    validate: Callable[[nn.Module], dict[str, float]] | None = None
    precision: Precision = field(default_factory=Precision)
    options: dict[str, Any] = field(default_factory=dict)
    optimizers: Optimizers | None = None
    planned: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.folder / "metrics.jsonl")
        self.checkpoints = Checkpoints(self.folder / "checkpoints")

    def fit(self, *, state: Saved | None = None, world: World = World(), **options: Any) -> Fitted:  # noqa: B008
        """Train it; `state` goes on from there."""
        epochs = int(self.spec.epochs)
        peak = float(self.spec.optimizer.lr)
        self.optimizers = build_optimizers(self.model, self.spec.optimizer, device=CPU)
        self.planned = plan(self.spec.schedule, steps=epochs * self.rows.steps, steps_per_epoch=self.rows.steps, peak=peak)
        return fit(
            self.model,
            self.task,
            self.rows,
            self.spec,
            optimizers=self.optimizers,
            schedule=self.planned,
            precision=self.precision,
            device=CPU,
            journal=self.journal,
            checkpoints=self.checkpoints,
            validate=self.validate,
            world=world,
            state=state,
            **{**self.options, **options},
        )

    def trained(self) -> list[dict[str, Any]]:
        """The journal's train rows."""
        return [row for row in self.journal.read() if row["split"] == "train"]


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all weights and buffers."""
    return copy.deepcopy(model.state_dict())


def far_apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference between two sets of weights."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)
