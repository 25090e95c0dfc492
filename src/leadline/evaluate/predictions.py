"""Predictions: what a model said about examples, with the truth beside it, as arrays on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leadline.evaluate.metric import Needs

if TYPE_CHECKING:
    from leadline.tasks.task import Task


@dataclass(frozen=True)
class Predictions:
    """N examples in the order they were seen.

    outputs: what `Task.predictions` gave: {"probabilities": (N, C)} or {"values": (N,) in the user's units}.
    targets: (N,) as the loss takes them. truth: (N,) as scores take them: class codes, or numbers in the user's units.
    index: (N,) the examples' numbers in their collection. losses: (N,) float64: -log(probability of the true class), or the squared
    error in standardised units. loss: the task's own mean loss, NaN when it was not measured. halved: batches cut for want of memory.
    """

    outputs: dict[str, np.ndarray]
    targets: np.ndarray
    truth: np.ndarray
    index: np.ndarray
    losses: np.ndarray
    loss: float
    halved: int = 0

    def __len__(self) -> int:
        return len(self.index)

    @property
    def needs(self) -> Needs:
        """Which metrics fit: those that score probabilities, or those that score values."""
        return "probabilities" if "probabilities" in self.outputs else "values"

    @property
    def scored(self) -> np.ndarray:
        """(N, C) probabilities or (N,) values: what metrics take first."""
        return self.outputs[self.needs]

    @property
    def is_finite(self) -> bool:
        """Whether every number is a number; scores of others would be made up."""
        return bool(np.isfinite(self.scored).all())

    def take(self, rows: np.ndarray) -> Predictions:
        """Some of the examples, by position; their mean loss becomes the mean of their own losses."""
        return Predictions(
            {name: values[rows] for name, values in self.outputs.items()},
            self.targets[rows],
            self.truth[rows],
            self.index[rows],
            self.losses[rows],
            float(self.losses[rows].mean()) if len(self.losses[rows]) else float("nan"),
        )


def truth_of(targets: np.ndarray, task: Task) -> np.ndarray:
    """Encoded targets as scores take them: class codes stay, standardised numbers go back to the user's units (by the task itself)."""
    if not np.issubdtype(targets.dtype, np.floating):
        return targets
    import torch

    return task.predictions(torch.from_numpy(np.array(targets, dtype=np.float32)).reshape(len(targets), -1))["values"]


def own_losses(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N,) -log of the probability of the true class, clipped as in the log_loss metric."""
    own = np.take_along_axis(probabilities, targets[:, None], axis=1)[:, 0].astype(np.float64)
    return -np.log(own.clip(np.finfo(np.float64).eps, 1))
