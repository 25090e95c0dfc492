"""Root mean squared error."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class Rmse(ScoreOfMeans):
    """The root of the mean squared error, in the target's own units: large errors weigh more than in mae.

    With several values per example it is the mean of each value's own. Definition: scikit-learn, `root_mean_squared_error`.
    """

    needs = "values"
    better = "min"
    bounds = (0.0, float("inf"))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        error = predictions.astype(np.float64) - targets.astype(np.float64)
        return np.square(error).reshape(len(targets), -1)

    def finish(self, means: np.ndarray) -> np.ndarray:
        return np.sqrt(means).mean(axis=1)
