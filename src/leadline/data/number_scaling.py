"""Scaling of one column of numbers, learnt from training values: by mean and deviation, or to normal scores by training quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ROWS_PER_KNOT = 30  # as in the tabular benchmarks of rtdl and TabM: enough rows between two knots to be no noise
MOST_KNOTS = 1000
MOST_BINS = 64

Kind = Literal["standard", "quantile", "none"]


@dataclass(frozen=True)
class Scaling:
    """Missing values become `fill`, then all are scaled.

    points: (mean, deviation) for standard; ascending knots from `rows` training rows for quantile.
    """

    kind: Kind
    fill: float
    points: tuple[float, ...] = ()
    rows: int = 0

    @classmethod
    def fit(cls, values: np.ndarray, kind: Kind) -> Scaling | None:
        """Learn from (N,) training values, NaN where missing; None when they hold fewer than two distinct numbers."""
        present = values[~np.isnan(values)]
        if not len(present) or present.min() == present.max():
            return None
        fill = float(np.median(present))
        if kind == "none":
            return cls(kind, fill)
        if kind == "standard":
            filled = np.where(np.isnan(values), fill, values)
            deviation = float(filled.std())
            return cls(kind, fill, (float(filled.mean()), deviation)) if deviation > 0 else None
        knots = int(np.clip(len(present) // ROWS_PER_KNOT, 10, MOST_KNOTS))
        return cls(kind, fill, tuple(np.quantile(present, np.linspace(0, 1, knots)).tolist()), rows=len(present))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(N,) float64 scaled; NaN is filled first."""
        filled = np.where(np.isnan(values), self.fill, values)
        if self.kind == "standard":
            mean, deviation = self.points
            return (filled - mean) / deviation
        return self._normal_scores(filled) if self.kind == "quantile" else filled

    def _normal_scores(self, values: np.ndarray) -> np.ndarray:
        """The normal quantile of each value's rank among the training rows; equal values get the middle of their ranks."""
        from scipy.special import ndtri

        knots = np.asarray(self.points)
        ranks = np.linspace(0, 1, len(knots))
        upper = np.interp(values, knots, ranks)
        lower = -np.interp(-values, -knots[::-1], -ranks[::-1])
        rank = (upper + lower) / 2
        return ndtri((rank * (self.rows - 1) + 0.5) / self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return {"kind": self.kind, "fill": self.fill, "points": list(self.points), "rows": self.rows}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Scaling:
        """The scaling that `to_dict` wrote."""
        return cls(fields["kind"], fields["fill"], tuple(fields["points"]), fields["rows"])


def bins(scaled: np.ndarray) -> tuple[float, ...]:
    """Distinct quantiles of (N,) scaled values, up to 48 bins, as rtdl_num_embeddings.compute_bins gives them without targets."""
    values = scaled.astype(np.float32)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, MOST_BINS + 1)).astype(np.float32))
    return tuple(edges.astype(np.float64).tolist())
