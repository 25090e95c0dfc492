"""The two shapes most scores have: a function of means over examples, and a function of the hits and counts of each class.

Either shape can be resampled a thousand times without scoring a thousand times, which makes intervals cheap.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from leadline.evaluate.metric import Metric, number_or_none


class ScoreOfMeans(Metric):
    """A score that is a function of the means of K terms per example (accuracy, RMSE, ...)."""

    @abstractmethod
    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """(N, K) float64 terms whose means make the score."""

    @abstractmethod
    def finish(self, means: np.ndarray) -> np.ndarray:
        """(R, K) means to (R,) scores, NaN where not defined."""

    def score(self, predictions: np.ndarray, targets: np.ndarray) -> float | None:
        if not len(targets):
            return None
        means = self.terms(predictions, targets).mean(axis=0, keepdims=True)
        return number_or_none(self.finish(means)[0])

    def resampled(self, predictions: np.ndarray, targets: np.ndarray, *, counts: np.ndarray) -> np.ndarray:
        return self.finish(counts @ self.terms(predictions, targets) / len(targets))


class ScoreOfClasses(Metric):
    """A score that is a function of each class's hits, predictions and examples: (R, C) each (macro F1, ...)."""

    needs = "probabilities"
    better = "max"
    bounds = (0.0, 1.0)

    @abstractmethod
    def finish(self, hits: np.ndarray, *, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
        """(R, C) counts of right predictions, of predictions and of examples per class, to (R,) scores."""

    def score(self, predictions: np.ndarray, targets: np.ndarray) -> float | None:
        if not len(targets):
            return None
        return number_or_none(self.resampled(predictions, targets, counts=np.ones((1, len(targets))))[0])

    def resampled(self, predictions: np.ndarray, targets: np.ndarray, *, counts: np.ndarray) -> np.ndarray:
        num_classes = predictions.shape[1]
        chosen = predictions.argmax(axis=1)
        right = chosen == targets
        hits = _count(targets[right], counts[:, right], num_classes=num_classes)
        predicted = _count(chosen, counts, num_classes=num_classes)
        return self.finish(hits, predicted=predicted, actual=_count(targets, counts, num_classes=num_classes))


def _count(codes: np.ndarray, counts: np.ndarray, *, num_classes: int) -> np.ndarray:
    """(R, C): how often each class code was drawn in each resample."""
    return np.stack([np.bincount(codes, weights=row, minlength=num_classes) for row in counts])


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where the whole is 0, as scikit-learn's zero_division=0 has it."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def mean_over(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(R,) means of (R, C) values over the classes that are present, NaN where none is."""
    number = present.sum(axis=1)
    return np.divide((values * present).sum(axis=1), number, out=np.full(len(values), np.nan), where=number > 0)
