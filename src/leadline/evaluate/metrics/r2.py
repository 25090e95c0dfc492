"""Coefficient of determination."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class R2(ScoreOfMeans):
    """The share of the target's variance that the predictions explain: 1 is perfect, 0 is no better than always saying the mean.

    Below 0 the predictions are worse than the mean. Not defined (None) when the targets are all equal. With several values per example
    it is the mean of each value's own. Definition: scikit-learn, `r2_score`.
    """

    needs = "values"
    better = "max"
    bounds = (float("-inf"), 1.0)

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        actual = targets.astype(np.float64).reshape(len(targets), -1)
        error = predictions.astype(np.float64).reshape(len(targets), -1) - actual
        centred = actual - actual.mean(axis=0)  # variance does not care, and the squares then keep their digits
        return np.concatenate([np.square(error), centred, np.square(centred)], axis=1)

    def finish(self, means: np.ndarray) -> np.ndarray:
        error, centre, square = np.split(means, 3, axis=1)
        variance = square - np.square(centre)
        share = np.divide(error, variance, out=np.full_like(error, np.nan), where=variance > 0)
        return (1 - share).mean(axis=1)
