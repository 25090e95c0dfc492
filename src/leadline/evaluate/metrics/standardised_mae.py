"""Mean absolute error of standardised values."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class StandardisedMae(ScoreOfMeans):
    """The mean absolute error over steps, columns and windows, each column in units of its deviation over the training rows.

    It is how published forecasting scores are given: columns of any unit weigh alike, and always saying the training mean scores about 1.
    Definition: scikit-learn, `mean_absolute_error`, on what was divided so.
    """

    needs = "values"
    better = "min"
    bounds = (0.0, float("inf"))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        error = (predictions.astype(np.float64) - targets.astype(np.float64)).reshape(len(targets), -1)
        return np.abs(error).mean(axis=1, keepdims=True)

    def finish(self, means: np.ndarray) -> np.ndarray:
        return means[:, 0]
