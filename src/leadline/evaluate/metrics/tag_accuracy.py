"""Share of right tags."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans
from leadline.evaluate.names import share


class TagAccuracy(ScoreOfMeans):
    """How many words got their true tag. High by itself where most words are O: see entity_f1."""

    needs = "tags"
    better = "max"
    bounds = (0.0, 1.0)

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        right = [[sum(one == two for one, two in zip(said, true, strict=True)), len(true)] for said, true in predictions]
        return np.array(right, np.float64).reshape(-1, 2)

    def finish(self, means: np.ndarray) -> np.ndarray:
        return share(means[:, 0], means[:, 1])
