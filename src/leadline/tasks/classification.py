"""What every task with one label per example shares: codes, cross-entropy, probabilities, and answers in the user's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from leadline.base.errors import InputError
from leadline.record.batch import Batch
from leadline.record.facts import Facts
from leadline.record.ports import Classes, Port
from leadline.tasks.task import NO_WISHES, Loss, Task, Wishes

if TYPE_CHECKING:
    import torch

SHOWN = 5  # labels in an answer's "top"


class Classification(Task):
    """One label per example. labels: the classes in code order; class_weights: (C,) averaging 1 over the training rows, or None."""

    learns = "classes"
    heeds = ("label_smoothing", "class_weights", "oversample")
    metrics = ("accuracy", "macro_f1", "balanced_accuracy", "roc_auc", "log_loss", "ece")
    best = ("accuracy", "max")
    loss_name = "cross_entropy"

    def __init__(self, labels: tuple[str, ...], *, label_smoothing: float = 0.0, class_weights: tuple[float, ...] | None = None) -> None:
        self.labels = labels
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.gives: Port = Classes(len(labels))

    @classmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        if facts.target_kind != "classes":
            found = "no target" if facts.target_kind is None else "a target of numbers"
            raise InputError("LL014", f"task '{cls.name}' needs class labels, and {facts.name} has {found}", where="data", help=cls.remedy)
        if len(facts.classes) < 2:
            only = facts.classes[0] if facts.classes else "none"
            raise InputError("LL015", f"{facts.name} holds one class only: {only!r}", where="data", help="add examples of a second class")
        if wishes.loss not in ("auto", "cross_entropy"):
            raise InputError(
                "LL022", f"train.loss = {wishes.loss!r}: labels are learnt with cross_entropy", where="train", help="leave train.loss out"
            )
        weights = _balanced(facts.classes, train_targets) if wishes.class_weights == "balanced" else None
        return cls(facts.classes, label_smoothing=wishes.label_smoothing, class_weights=weights)

    def encode(self, targets: np.ndarray) -> np.ndarray:
        import pandas as pd

        codes = pd.Index(self.labels).get_indexer(targets.astype(str))
        if (codes < 0).any():
            unknown = str(targets[codes < 0][0])
            known = ", ".join(self.labels[:8])
            raise InputError("LL029", f"label {unknown!r} was not among the classes in training", where="target", help=f"known: {known}")
        return codes.astype(np.int64)

    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        import torch
        from torch.nn import functional

        from leadline.tasks import losses

        logits = model(*batch.inputs)
        if self.class_weights is None and batch.weight is None and logits.ndim == 2:  # torch's own mean is one kernel instead of two
            value = functional.cross_entropy(logits.float(), batch.target, label_smoothing=self.label_smoothing)
            yield Loss(value, len(batch))
            return
        weight = None if self.class_weights is None else torch.tensor(self.class_weights, device=logits.device)
        each = losses.cross_entropy(logits.float(), batch.target, label_smoothing=self.label_smoothing, class_weight=weight)
        yield Loss(losses.mean(each, batch.weight), len(batch))

    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        return {"probabilities": outputs.double().softmax(-1).cpu().numpy()}

    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        return [self._answer(row) for row in predictions["probabilities"]]

    def _answer(self, row: np.ndarray) -> dict[str, Any]:
        order = np.argsort(-row, kind="stable")[:SHOWN]
        top = [{"label": self.labels[code], "confidence": float(row[code])} for code in order]
        return {**top[0], "top": top}

    def to_dict(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "labels": list(self.labels),
            "label_smoothing": self.label_smoothing,
            "class_weights": self.class_weights,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        weights = fields["class_weights"]
        return cls(tuple(fields["labels"]), label_smoothing=fields["label_smoothing"], class_weights=tuple(weights) if weights else None)


def _balanced(classes: tuple[str, ...], targets: np.ndarray) -> tuple[float, ...]:
    """N / (C * count of the class): each class weighs the same, and the mean weight over the training rows is 1."""
    counts = Counter(str(label) for label in targets)
    return tuple(len(targets) / (len(classes) * max(1, counts[label])) for label in classes)
