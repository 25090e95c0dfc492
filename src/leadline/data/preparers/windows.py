"""Windows of a series become model inputs: standardised by what the training rows taught, the steps to forecast beside them as targets.

Axes: B batch, W steps to look back on, H steps to forecast, C columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch

from leadline.base.errors import InputError
from leadline.data.prepare import Preparer
from leadline.record.ports import Frames, Port

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples


@final
@dataclass(frozen=True)
class WindowsPreparer(Preparer):
    """(W + H, C) values to standardised inputs (W, C) and targets (H * C). mean and std: of each column, over the training rows.

    time: the column of dates; step_s: seconds between rows; missing: cell texts that mean missing; fill as in `data.series`: for files
    that are forecast later.
    """

    kind: ClassVar[str] = "windows"

    columns: tuple[str, ...]
    window: int
    horizon: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    time: str
    step_s: float
    fill: str
    missing: tuple[str, ...]
    gives: Port = field(init=False, compare=False)
    scales: tuple[tuple[float, float], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Frames(len(self.columns), self.window))
        object.__setattr__(self, "scales", tuple(zip(self.mean, self.std, strict=True)))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Mean and deviation come from all rows of the training windows, each row once. InputError LL015 for a column that stands still."""
        from leadline.data.series_windows import Windows

        about = examples.facts.series
        if about is None:
            raise InputError("LL029", f"{examples.facts.name} holds no values over time", where="data", help="data.kind=series_table")
        train = np.asarray(train)
        rows = examples.rows_of(train) if isinstance(examples, Windows) else examples.fetch(train).reshape(-1, len(about.columns))
        mean, std = rows.mean(axis=0), rows.std(axis=0)
        still = [name for name, lowest, highest in zip(about.columns, rows.min(axis=0), rows.max(axis=0), strict=True) if lowest == highest]
        if still:
            text = f"column '{still[0]}' has one value in all training rows, so there is nothing to standardise it by"
            raise InputError("LL015", text, where="data", help=f"data.ignore=[{', '.join(still[:5])}]")
        mark = spec.series.fill
        return cls(about.columns, about.window, about.horizon, _plain(mean), _plain(std), about.time, about.step, mark, spec.missing)

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, W + H, C) float32 standardised; raw: (B, W + H, C), or (B, W, C) where what comes is not known, which is kept as zeros.

        Raises InputError LL029 for another shape.
        """
        values = np.asarray(raw, np.float64)
        long = self.window + self.horizon
        if values.ndim != 3 or values.shape[1] not in (self.window, long) or values.shape[2] != len(self.columns):
            raise InputError(
                "LL029",
                f"values of shape {values.shape}, and the model takes {self.window} steps of {len(self.columns)} columns",
                where="input",
                help=f"columns in this order: {', '.join(self.columns[:8])}",
            )
        out = np.zeros((len(values), long, len(self.columns)), np.float32)
        out[:, : values.shape[1]] = (values - np.array(self.mean)) / np.array(self.std)
        return (out,)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """(B, W, C) float32 and the lengths (B,) int64, all W."""
        values = stored[0][:, : self.window]
        return values, torch.full((len(values),), self.window, dtype=torch.int64, device=values.device)

    def targets(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """(B, H * C) float32: step by step, in each step the columns in their order."""
        return stored[0][:, self.window :].flatten(1)

    def to_dict(self) -> dict[str, Any]:
        names = ("columns", "window", "horizon", "mean", "std", "time", "step_s", "fill", "missing")
        found = {name: getattr(self, name) for name in names}
        return {"kind": self.kind, **{name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        columns, missing = tuple(fields["columns"]), tuple(fields["missing"])
        window, horizon, step_s = int(fields["window"]), int(fields["horizon"]), float(fields["step_s"])
        return cls(columns, window, horizon, mean, std, fields["time"], step_s, fields["fill"], missing)


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
