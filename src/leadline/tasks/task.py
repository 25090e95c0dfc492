"""The task contract: what right means. Losses for the loop, predictions and scores for evaluation, answers for people."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from leadline.base.find import find
from leadline.record.batch import Batch
from leadline.record.facts import Facts, Guess, Kind, TargetKind
from leadline.record.ports import Port
from leadline.tasks.answering import Answering

if TYPE_CHECKING:
    import torch

    from leadline.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Loss:
    """One loss for one optimizer step of the named part. value: mean over the batch's units (a scalar tensor).
    units: how many it averages over: examples, or the tokens that count (a tensor then, so that no step waits for the device).

    seen: extra scalar tensors to log (sums over units), such as {"correct": ...}; never read on the host within a step.
    """

    value: torch.Tensor
    units: int | torch.Tensor
    part: str = "model"
    seen: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Wishes:
    """What a task is bound with beside the data: the recipe's words on losses, what the preparer gives, and its tokenizer.

    loss, label_smoothing, class_weights, mask_rate, beta, temperature: as the keys of `train` of these names say.
    scales: (mean, deviation) by which the preparer standardised each column that is forecast.
    """

    loss: str = "auto"
    label_smoothing: float = 0.0
    class_weights: str = "none"
    mask_rate: float = 0.15
    beta: float = 0.1
    temperature: float = 0.05
    takes: Port | None = None
    tokenizer: Tokenizer | None = None
    scales: tuple[tuple[float, float], ...] = ()
    seed: int = 0


NO_WISHES = Wishes()


class Task(Answering):
    """A kind of work; one file of `tasks/kinds/`, its docstring is its handbook page. Bound to data by `bind`."""

    name: ClassVar[str]
    data: ClassVar[Kind]
    """The kind of data that it is for."""
    takes: ClassVar[tuple[type[Port], ...]]
    prepares: ClassVar[str]
    """The preparer on the shelf that makes its inputs."""
    learns: ClassVar[TargetKind | None]
    """What its target holds, None where the examples hold it themselves; a source reads the target column so when the task is named."""
    heeds: ClassVar[tuple[str, ...]] = ()
    """The options of `train` that it makes use of; others are refused where they are set."""
    baselines: ClassVar[tuple[str, ...]] = ("majority", "linear", "gbdt")
    """What it is held against, by name on the shelf of baselines."""
    model: ClassVar[str | None] = None
    """The network that suits it where none is named; None: what suits its inputs."""
    metrics: ClassVar[tuple[str, ...]]
    """Names on the metrics shelf, the first is the one shown first."""
    best: ClassVar[tuple[str, str]]
    """The validation score that picks the best checkpoint, and "max" or "min"."""
    remedy: ClassVar[str] = ""
    """What to do when the data does not fit the task."""
    loss_name: str
    """The loss in use, by its usual name."""
    gives: Port
    tokenizer: Tokenizer | None = None

    @classmethod
    @abstractmethod
    def guess(cls, facts: Facts) -> Guess | None:
        """Whether these facts look like this task, with the evidence; None when not."""

    @classmethod
    @abstractmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        """The task for this data; what it learns (classes, mean and scale of the target) comes from the training targets.

        train_targets: (n,), zeros where the examples hold their targets themselves.
        """

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """Raw targets (N,) to what the loss takes: int64 class codes, or float32 standardised values; not asked for where the examples
        hold their targets themselves."""
        raise NotImplementedError(f"the targets of {self.name} lie in the examples")

    @abstractmethod
    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        """Yield one Loss per optimizer step; a GAN yields twice, most yield once."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain JSON for model/labels.json; `restore` reads it back."""

    @classmethod
    @abstractmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The task that `to_dict` wrote."""


def restore(fields: dict[str, Any], tokenizer: Tokenizer | None = None) -> Task:
    """The bound task that a run stored. tokenizer: the preparer's, where it has one."""
    task = find("tasks.kinds", fields["task"]).from_dict(fields)
    task.tokenizer = tokenizer
    return task
