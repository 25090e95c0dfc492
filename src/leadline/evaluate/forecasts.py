"""Forecasts that need no network: the last value again, the last season again, a linear map from window to horizon.

Axes: N windows, W steps looked back on, H steps told, C columns; all values standardised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from leadline.evaluate.simple import Unfit

PENALTY = 1e-3  # of the mean variance of the inputs: enough to make equal steps harmless, too little to pull on real ones
AT_ONCE = 4096  # windows: sums over more would need memory and no less time


class Forecast(ABC):
    """fit on windows (N, W, C) and what came (N, H, C); predict (N, H, C)."""

    def __init__(self, horizon: int, season: int) -> None:
        self.horizon, self.season = horizon, season

    def fit(self, windows: np.ndarray, ahead: np.ndarray) -> None:
        """Learn from training windows; repeating learns nothing. Raises Unfit when it is not meant for such data."""
        return

    @abstractmethod
    def predict(self, windows: np.ndarray) -> np.ndarray:
        """(N, H, C)."""


class RepeatLast(Forecast):
    """The last value, H times."""

    def predict(self, windows: np.ndarray) -> np.ndarray:
        return np.repeat(windows[:, -1:], self.horizon, axis=1)


class SeasonalNaive(Forecast):
    """The last season, over and over."""

    def fit(self, windows: np.ndarray, ahead: np.ndarray) -> None:
        if self.season < 2:
            raise Unfit("no season is known for steps of this length")
        if self.season > windows.shape[1]:
            raise Unfit(f"the season of {self.season} steps is longer than the window of {windows.shape[1]}")

    def predict(self, windows: np.ndarray) -> np.ndarray:
        places = np.arange(self.horizon) % self.season - self.season
        return windows[:, places]


class LinearForecast(Forecast):
    """Ridge regression from the window to the horizon, one map for all columns, each window seen from its last value (NLinear's form,
    Zeng et al. 2023); solved exactly by normal equations in float64."""

    def fit(self, windows: np.ndarray, ahead: np.ndarray) -> None:
        steps = windows.shape[1]
        own, cross, total = np.zeros((steps, steps)), np.zeros((steps, self.horizon)), np.zeros(steps)
        goal, count = np.zeros(self.horizon), 0
        for start in range(0, len(windows), AT_ONCE):
            x, y, _ = _from_last(windows[start : start + AT_ONCE], ahead[start : start + AT_ONCE])
            own, cross = own + x.T @ x, cross + x.T @ y
            total, goal, count = total + x.sum(axis=0), goal + y.sum(axis=0), count + len(x)
        own, cross = own - np.outer(total, total) / count, cross - np.outer(total, goal) / count
        penalty = PENALTY * max(np.trace(own) / steps, 1e-12)
        self.weight = np.linalg.solve(own + penalty * np.eye(steps), cross)
        self.bias = (goal - total @ self.weight) / count

    def predict(self, windows: np.ndarray) -> np.ndarray:
        parts = [self._predict(windows[start : start + AT_ONCE]) for start in range(0, len(windows), AT_ONCE)]
        return np.concatenate(parts)

    def _predict(self, windows: np.ndarray) -> np.ndarray:
        x, _, last = _from_last(windows, windows[:, :0])
        told = x @ self.weight + self.bias + last
        return told.reshape(len(windows), windows.shape[2], self.horizon).transpose(0, 2, 1)


def _from_last(windows: np.ndarray, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N * C, W) and (N * C, H) float64 seen from the last value, and that value (N * C, 1)."""
    x = windows.transpose(0, 2, 1).reshape(-1, windows.shape[1]).astype(np.float64)
    y = ahead.transpose(0, 2, 1).reshape(len(x), -1).astype(np.float64)
    last = x[:, -1:].copy()
    return x - last, y - last, last


FORECASTS: dict[str, Callable[[int, int], Forecast]] = {
    "repeat_last": RepeatLast,
    "seasonal_naive": SeasonalNaive,
    "linear": LinearForecast,
}
