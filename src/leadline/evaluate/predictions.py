"""Predictions: what a model said about examples, with the truth beside it, as arrays on the host."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from leadline.evaluate.metric import Metric, Needs

if TYPE_CHECKING:
    from leadline.tasks.task import Task


@dataclass(frozen=True)
class Predictions:
    """N examples in the order they were seen.

    outputs: what `Task.predictions` gave: {"probabilities": (N, C)}, {"values": (N,) in the user's units}, ... and what `Task.write` did.
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
        """The first kind of what was predicted."""
        return cast(Needs, next(iter(self.outputs)))

    @property
    def scored(self) -> np.ndarray:
        """The first of the outputs: (N, C) probabilities, (N,) values, ..."""
        return self.outputs[self.needs]

    def score(self, metric: Metric) -> float | None:
        """The metric's score on them; None where it is not defined."""
        return metric.score(self.outputs[metric.needs], self.truth)

    def resampled(self, metric: Metric, counts: np.ndarray) -> np.ndarray:
        """(R,) scores of resamples (R, N)."""
        return metric.resampled(self.outputs[metric.needs], self.truth, counts=counts)

    @property
    def is_finite(self) -> bool:
        """Whether every number is a number; scores of others would be made up."""
        return all(bool(np.isfinite(values).all()) for values in self.outputs.values() if values.dtype != object)

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


def comparable(answers: np.ndarray) -> np.ndarray:
    """float64 that is as far apart as the answers are: numbers as they are, texts (the first of a pair was written) by their checksums."""
    if answers.dtype != object:
        return answers.astype(np.float64)
    written = answers[:, 0] if answers.ndim == 2 else answers
    return np.array([float(zlib.crc32(repr(one).encode())) for one in written])


def truth_of(targets: np.ndarray, task: Task) -> np.ndarray:
    """Encoded targets as scores take them: codes stay, standardised numbers go back to the user's units (by the task itself)."""
    if not np.issubdtype(targets.dtype, np.floating) or task.learns != "numbers":
        return targets
    import torch

    return task.predictions(torch.from_numpy(np.array(targets, dtype=np.float32)).reshape(len(targets), -1))["values"]


def own_losses(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N,) -log of the probability of the true class, clipped as in the log_loss metric."""
    own = np.take_along_axis(probabilities, targets[:, None], axis=1)[:, 0].astype(np.float64)
    return -np.log(own.clip(np.finfo(np.float64).eps, 1))
