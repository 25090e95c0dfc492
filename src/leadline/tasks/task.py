"""The task contract: what right means. Losses for the loop, predictions and scores for evaluation, answers for people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from leadline.base.find import find
from leadline.record.batch import Batch
from leadline.record.facts import Facts, Guess
from leadline.record.ports import Port

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Loss:
    """One loss for one optimizer step of the named part. value: mean over the batch's units (a scalar tensor).
    units: how many it averages over.

    seen: extra scalar tensors to log (sums over units), such as {"correct": ...}; never read on the host within a step.
    """

    value: torch.Tensor
    units: int
    part: str = "model"
    seen: dict[str, torch.Tensor] = field(default_factory=dict)


class Task(ABC):
    """A kind of work; one file of `tasks/kinds/`, its docstring is its handbook page. Bound to data by `bind`."""

    name: ClassVar[str]
    takes: ClassVar[tuple[type[Port], ...]]
    learns: ClassVar[Literal["classes", "numbers"]]
    """What its target holds; a source reads the target column so when the task is named."""
    metrics: ClassVar[tuple[str, ...]]
    """Names on the metrics shelf, the first is the one shown first."""
    best: ClassVar[tuple[str, str]]
    """The validation score that picks the best checkpoint, and "max" or "min"."""
    remedy: ClassVar[str] = ""
    """What to do when the data does not fit the task."""
    loss_name: str
    """The loss in use, by its usual name."""
    gives: Port

    @classmethod
    @abstractmethod
    def guess(cls, facts: Facts) -> Guess | None:
        """Whether these facts look like this task, with the evidence; None when not."""

    @classmethod
    @abstractmethod
    def bind(
        cls, facts: Facts, train_targets: np.ndarray, *, loss: str = "auto", label_smoothing: float = 0.0, class_weights: str = "none"
    ) -> Self:
        """The task for this data; what it learns (classes, mean and scale of the target) comes from the training targets."""

    @abstractmethod
    def encode(self, targets: np.ndarray) -> np.ndarray:
        """Raw targets (N,) to what the loss takes: int64 class codes, or float32 standardised values."""

    @abstractmethod
    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        """Yield one Loss per optimizer step; a GAN yields twice, most yield once."""

    @abstractmethod
    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        """Outputs in eval mode to what scores and people use: {"probabilities": (N, C)}, or {"values": (N,)} in the user's units."""

    @abstractmethod
    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """One JSON row per example: {"label", "confidence", "top"} or {"value"}."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain JSON for model/labels.json; `restore` reads it back."""

    @classmethod
    @abstractmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The task that `to_dict` wrote."""


def restore(fields: dict[str, Any]) -> Task:
    """The bound task that a run stored."""
    return find("tasks.kinds", fields["task"]).from_dict(fields)
