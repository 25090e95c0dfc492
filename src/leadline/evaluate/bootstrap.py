"""How sure a score is: percentile intervals from drawing the test examples again, and whether two scores really differ.

Source: Efron, "Bootstrap Methods", 1979, doi:10.1214/aos/1176344552. What it covers is the choice of test examples; another training
seed adds its own spread, which only further runs can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leadline.evaluate.metric import Metric, metric, metrics_for
from leadline.evaluate.predictions import Predictions
from leadline.record.resample import RESAMPLES, draws, percentiles

# A one-against-rest AUC costs examples * classes per resample; beyond this (about 20 s on one core) its interval is not measured.
MOST_WORK = 2_000_000_000


def intervals(predictions: Predictions, metrics: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, list[float]]:
    """{"accuracy": [low, high], ...}: 95 % percentile intervals over `resamples` seeded resamples of the examples, "loss" too.

    A metric that is not defined in at least half of the resamples has no interval; nor have predictions that are not finite.
    """
    if not len(predictions) or not predictions.is_finite:
        return {}
    chosen = {name: part for name, part in metrics_for(metrics, predictions.outputs).items() if _affordable(name, predictions)}
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("loss", *chosen)}
    for counts in draws(len(predictions), seed=seed, resamples=resamples):
        found["loss"].append(counts @ predictions.losses / len(predictions))
        for name, part in chosen.items():
            found[name].append(predictions.resampled(part, counts))
    ranges = {name: percentiles(np.concatenate(slices)) for name, slices in found.items()}
    measured = {name: pair for name, pair in ranges.items() if pair is not None}
    for name, part in chosen.items():
        if part.grows_by_resampling and name in measured:
            measured[name] = _mirrored(measured[name], part, predictions=predictions)
    return {name: [*pair] for name, pair in measured.items()}


def _mirrored(pair: tuple[float, float], part: Metric, *, predictions: Predictions) -> tuple[float, float]:
    """The basic bootstrap interval, mirrored at the estimate and kept within the metric's bounds: it takes the drift of resampling out."""
    estimate = predictions.score(part)
    if estimate is None:
        return pair
    low, high = np.clip([2 * estimate - pair[1], 2 * estimate - pair[0]], *part.bounds)
    return float(low), float(high)


def _affordable(name: str, predictions: Predictions) -> bool:
    return name != "roc_auc" or predictions.scored.size * RESAMPLES <= MOST_WORK


@dataclass(frozen=True)
class Difference:
    """Two scores on the same examples, and the 95 % interval (low, high) of the first minus the second."""

    first: float
    second: float
    low: float
    high: float
    first_is_better: bool

    @property
    def value(self) -> float:
        """The first minus the second."""
        return self.first - self.second

    @property
    def is_noise(self) -> bool:
        """Whether no difference at all would fit the data as well."""
        return self.low <= 0 <= self.high


def difference(first: Predictions, second: Predictions, *, metric_name: str, seed: int = 0) -> Difference | None:
    """The paired difference of one metric; None where it is not defined. Both must hold the same examples in the same order."""
    if not np.array_equal(first.index, second.index):
        raise ValueError("a paired difference needs the same examples in the same order")
    if not (first.is_finite and second.is_finite):
        return None
    part = metric(metric_name)
    one, two = first.score(part), second.score(part)
    if one is None or two is None:
        return None
    pair = percentiles(np.concatenate([_gap(part, first, second=second, counts=counts) for counts in draws(len(first), seed=seed)]))
    ahead = one > two if part.better == "max" else one < two
    return None if pair is None else Difference(one, two, *pair, first_is_better=ahead)


def _gap(part: Metric, first: Predictions, *, second: Predictions, counts: np.ndarray) -> np.ndarray:
    return first.resampled(part, counts) - second.resampled(part, counts)


def difference_is_noise(first: Predictions, second: Predictions, *, metric_name: str, seed: int = 0) -> bool:
    """Whether the two scores differ by no more than the choice of test examples explains (95 %, paired bootstrap)."""
    gap = difference(first, second, metric_name=metric_name, seed=seed)
    return gap is None or gap.is_noise
