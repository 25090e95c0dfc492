"""Predict a number from the other columns of a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from leadline.base.errors import InputError
from leadline.record.batch import Batch
from leadline.record.facts import Facts, Guess
from leadline.record.ports import Port, Rows, Values
from leadline.tasks.task import NO_WISHES, Loss, Task, Wishes

if TYPE_CHECKING:
    import torch


@final
class RegressTable(Task):
    """One number per row, learnt on the standardised target and given back in its own units.

    Data: a table with a target column of numbers. Mean and standard deviation of the target come from the training rows. Loss: mean squared
    error; `train.loss: mae` or `huber` where outliers should weigh less. Baselines: the mean, ridge regression and gradient-boosted trees.
    """

    name = "regress_table"
    data = "table"
    takes = (Rows,)
    prepares = "rows"
    learns = "numbers"
    metrics = ("rmse", "mae", "r2")
    best = ("rmse", "min")

    def __init__(self, mean: float, scale: float, *, loss: str) -> None:
        self.mean = mean
        self.scale = scale
        self.loss_name = loss
        self.gives: Port = Values(1)

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "table" or facts.target_kind != "numbers":
            return None
        return Guess(f"task {cls.name}", f"column '{facts.target}' holds numbers", "task=classify_table, or target=COLUMN")

    @classmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        if facts.target_kind != "numbers":
            raise InputError(
                "LL020",
                f"task '{cls.name}' needs a target of numbers, and '{facts.target}' holds labels",
                where="data",
                help="task=classify_table",
            )
        if wishes.loss == "cross_entropy":
            raise InputError(
                "LL022", "train.loss = 'cross_entropy': numbers are learnt with mse, mae or huber", where="train", help="train.loss=mse"
            )
        values = train_targets.astype(np.float64)
        scale = float(values.std())
        if not scale:
            raise InputError(
                "LL015", f"the target '{facts.target}' has the same value {values[0]:g} in every row", where="data", help="target=COLUMN"
            )
        return cls(float(values.mean()), scale, loss="mse" if wishes.loss == "auto" else wishes.loss)

    def encode(self, targets: np.ndarray) -> np.ndarray:
        return ((targets.astype(np.float64) - self.mean) / self.scale).astype(np.float32)

    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        from leadline.tasks import losses

        each = losses.regression(model(*batch.inputs).float(), batch.target, kind=self.loss_name)
        yield Loss(losses.mean(each, batch.weight), len(batch))

    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        return {"values": outputs.double().squeeze(-1).cpu().numpy() * self.scale + self.mean}

    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        return [{"value": float(value)} for value in predictions["values"]]

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.name, "mean": self.mean, "scale": self.scale, "loss": self.loss_name}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(fields["mean"], fields["scale"], loss=fields["loss"])
