"""Top-5 accuracy."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class Top5Accuracy(ScoreOfMeans):
    """The share of examples whose true class is among the five most probable ones.

    Not defined with five classes or fewer, where it would be 1 by itself. Among equal probabilities the higher class code goes first,
    as in scikit-learn's `top_k_accuracy_score(k=5)`. In use since the ImageNet challenge (Russakovsky et al., 2015, arXiv:1409.0575).
    """

    needs = "probabilities"
    better = "max"
    bounds = (0.0, 1.0)

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        if predictions.shape[1] <= 5:
            return np.full((len(targets), 1), np.nan)
        own = np.take_along_axis(predictions, targets[:, None], axis=1)
        codes = np.arange(predictions.shape[1])[None, :]
        ahead = (predictions > own) | ((predictions == own) & (codes > targets[:, None]))
        return (ahead.sum(axis=1) < 5)[:, None].astype(np.float64)

    def finish(self, means: np.ndarray) -> np.ndarray:
        return means[:, 0]
