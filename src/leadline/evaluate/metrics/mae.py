"""Mean absolute error."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class Mae(ScoreOfMeans):
    """The mean distance between prediction and truth, in the target's own units.

    Definition: scikit-learn, `mean_absolute_error`.
    """

    needs = "values"
    better = "min"
    bounds = (0.0, float("inf"))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        error = predictions.astype(np.float64) - targets.astype(np.float64)
        return np.abs(error).reshape(len(targets), -1)

    def finish(self, means: np.ndarray) -> np.ndarray:
        return means.mean(axis=1)
