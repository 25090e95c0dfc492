"""Log loss."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans

# A probability of exactly 0 would cost infinity: the smallest step of a double stands in, as in scikit-learn.
SMALLEST = float(np.finfo(np.float64).eps)


class LogLoss(ScoreOfMeans):
    """The mean of -log(probability given to the true class), in nats: how surprised the predictions are by the truth.

    It rewards honest probabilities (a proper scoring rule); a single sure and wrong answer costs much. Probabilities are clipped to
    2.2e-16. Definition: scikit-learn, `log_loss`.
    """

    needs = "probabilities"
    better = "min"
    bounds = (0.0, float(-np.log(SMALLEST)))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        own = np.take_along_axis(predictions, targets[:, None], axis=1).astype(np.float64)
        return -np.log(own.clip(SMALLEST, 1 - SMALLEST))

    def finish(self, means: np.ndarray) -> np.ndarray:
        return means[:, 0]
