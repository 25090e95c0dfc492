"""Macro precision."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfClasses, mean_over, ratio


class MacroPrecision(ScoreOfClasses):
    """The mean over classes of precision: of the examples given this class, the share that truly have it.

    Classes that occur neither in the targets nor in the predictions are left out; a class never predicted counts 0. Definition:
    scikit-learn, `precision_score(average="macro", zero_division=0)`.
    """

    def finish(self, hits: np.ndarray, *, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
        return mean_over(ratio(hits, predicted), predicted + actual > 0)
