"""Accuracy."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class Accuracy(ScoreOfMeans):
    """The share of examples whose most probable class is the true one.

    Easy to read, and flattering when one class is much larger than the others: then read it beside balanced_accuracy and the
    majority baseline. Definition: scikit-learn, `accuracy_score`.
    """

    needs = "probabilities"
    better = "max"
    bounds = (0.0, 1.0)

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return (predictions.argmax(axis=1) == targets)[:, None].astype(np.float64)

    def finish(self, means: np.ndarray) -> np.ndarray:
        return means[:, 0]
