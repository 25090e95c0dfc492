"""What can be counted from predictions: the confusion matrix, per-class scores and reliability bins. NumPy only, for every wing above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RELIABILITY_BINS = 15
"""Bins of equal width between 0 and 1, as in Guo et al., 2017, arXiv:1706.04599."""

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]


def confusion(targets: NDArray[Any], predicted: NDArray[Any], *, num_classes: int) -> Codes:
    """(C, C) counts: row is the true class, column the predicted one; equal to scikit-learn's `confusion_matrix`."""
    cells = targets.astype(np.int64) * num_classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=num_classes * num_classes).reshape(num_classes, num_classes).astype(np.int64)


@dataclass(frozen=True)
class ClassScores:
    """Per class (C,): precision, recall and F1, None where not defined, and the number of examples (support)."""

    precision: list[float | None]
    recall: list[float | None]
    f1: list[float | None]
    support: list[int]


def per_class(matrix: Codes) -> ClassScores:
    """Precision, recall, F1 and support of each class from its confusion matrix; not defined stays None, never 0."""
    hits, actual, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return ClassScores(
        precision=_ratios(hits, predicted),
        recall=_ratios(hits, actual),
        f1=_ratios(2 * hits, actual + predicted),
        support=[int(count) for count in actual],
    )


def _ratios(part: NDArray[Any], whole: NDArray[Any]) -> list[float | None]:
    return [float(up) / float(down) if down else None for up, down in zip(part, whole, strict=True)]


def reliability_bin(confidence: NDArray[Any], bins: int = RELIABILITY_BINS) -> Codes:
    """(N,) number of the bin (low, high] that each confidence falls into."""
    return np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)


@dataclass(frozen=True)
class Reliability:
    """How often answers were right against how sure they were: (bins,) each; NaN in bins without examples. gap: the ECE."""

    count: Codes
    confidence: Numbers
    accuracy: Numbers
    gap: float


def reliability(confidence: NDArray[Any], right: NDArray[Any], bins: int = RELIABILITY_BINS) -> Reliability:
    """The reliability diagram's numbers from (N,) confidences and (N,) whether each answer was right."""
    place = reliability_bin(confidence, bins)
    count = np.bincount(place, minlength=bins).astype(np.int64)
    sure = np.bincount(place, weights=confidence.astype(np.float64), minlength=bins)
    hits = np.bincount(place, weights=right.astype(np.float64), minlength=bins)
    gap = float(np.abs(sure - hits).sum() / max(1, len(confidence)))
    empty = np.full(bins, np.nan)
    return Reliability(
        count=count,
        confidence=np.divide(sure, count, out=empty.copy(), where=count > 0),
        accuracy=np.divide(hits, count, out=empty.copy(), where=count > 0),
        gap=gap,
    )
