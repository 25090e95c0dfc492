"""Share of the tokens foretold rightly."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class TokenAccuracy(ScoreOfMeans):
    """How many of the tokens asked for were the likeliest one in the network's eyes."""

    needs = "tokens"
    better = "max"
    bounds = (0.0, 1.0)

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return predictions[:, 1:3]

    def finish(self, means: np.ndarray) -> np.ndarray:
        return np.divide(means[:, 1], means[:, 0], out=np.full(len(means), np.nan), where=means[:, 0] > 0)
