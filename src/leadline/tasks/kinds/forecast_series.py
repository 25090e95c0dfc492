"""Tell how a series goes on: several steps ahead, several columns at once.

Axes: B batch, W steps looked back on, H steps told, C columns, K of them told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from leadline.base.errors import InputError
from leadline.record.batch import Batch
from leadline.record.facts import Facts, Guess
from leadline.record.ports import Frames, Port, Values
from leadline.tasks.task import NO_WISHES, Loss, Task, Wishes

if TYPE_CHECKING:
    import torch


@final
class ForecastSeries(Task):
    """The next steps of every column, or of `target=COLUMN` alone, from a window of all columns.

    Data: a table with a column of dates in equal steps (`data.series`). Values are standardised by the training rows; the loss is their
    mean squared error, or `train.loss: mae` or `huber` where outliers should weigh less. Scores are on standardised values, averaged over
    steps, columns and windows, as published ones are; answers come in each column's own units. Baselines: the last value repeated, the
    last season repeated, and a linear map from window to horizon.
    """

    name = "forecast_series"
    data = "series"
    takes = (Frames,)
    prepares = "windows"
    learns = None
    baselines: ClassVar[tuple[str, ...]] = ("repeat_last", "seasonal_naive", "linear")
    model = "dlinear"
    metrics = ("standardised_mse", "standardised_mae")
    best = ("standardised_mse", "min")
    remedy = "the table needs a column of dates in equal steps: data.series.time=COLUMN"

    def __init__(
        self,
        columns: tuple[str, ...],
        told: tuple[str, ...],
        *,
        horizon: int,
        season: int,
        scales: tuple[tuple[float, float], ...],
        loss: str,
    ) -> None:
        self.columns, self.told = columns, told
        self.horizon, self.season = horizon, season
        self.scales = scales
        self.loss_name = loss
        self.gives: Port = Values(horizon * len(columns))
        self._places = [step * len(columns) + columns.index(name) for step in range(horizon) for name in told]

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "series" or facts.series is None:
            return None
        return Guess(f"task {cls.name}", f"values of {len(facts.series.columns)} columns over time", "target=COLUMN for a plain table")

    @classmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        about = facts.series
        if about is None:
            raise InputError("LL029", f"task '{cls.name}' needs values over time, and {facts.name} has none", where="data", help=cls.remedy)
        if wishes.loss == "cross_entropy":
            raise InputError(
                "LL022", "train.loss = 'cross_entropy': values are learnt with mse, mae or huber", where="train", help="train.loss=mse"
            )
        told = about.columns if facts.target is None else (facts.target,)
        scales = wishes.scales or ((0.0, 1.0),) * len(about.columns)
        loss = "mse" if wishes.loss == "auto" else wishes.loss
        return cls(about.columns, told, horizon=about.horizon, season=about.season, scales=scales, loss=loss)

    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        from leadline.tasks import losses

        said, true = self._picked(model(*batch.inputs).float()), self._picked(batch.target)
        each = losses.regression(said.flatten()[:, None], true.flatten(), kind=self.loss_name).view(len(batch), -1).mean(dim=1)
        yield Loss(losses.mean(each, batch.weight), len(batch))

    def keep(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self._picked(outputs)

    def keep_target(self, batch: Batch) -> torch.Tensor:
        return self._picked(batch.target)

    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        """{"values": (N, H * K)} standardised: step by step, in each step the told columns."""
        return {"values": outputs.double().cpu().numpy()}

    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"forecast": {column: [H values in its own units]}} for each example."""
        values = predictions["values"].reshape(-1, self.horizon, len(self.told))
        mean, std = np.array([self.scales[self.columns.index(name)] for name in self.told]).T
        own = values * std + mean
        return [{"forecast": {name: one[:, place].tolist() for place, name in enumerate(self.told)}} for one in own]

    def to_dict(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "columns": list(self.columns),
            "told": list(self.told),
            "horizon": self.horizon,
            "season": self.season,
            "scales": [list(pair) for pair in self.scales],
            "loss": self.loss_name,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        columns, told = tuple(fields["columns"]), tuple(fields["told"])
        scales = tuple((float(mean), float(std)) for mean, std in fields["scales"])
        return cls(columns, told, horizon=fields["horizon"], season=fields["season"], scales=scales, loss=fields["loss"])

    def _picked(self, values: torch.Tensor) -> torch.Tensor:
        """(B, H * C) of all columns to (B, H * K) of those that are told."""
        return values if self.told == self.columns else values[:, self._places]
