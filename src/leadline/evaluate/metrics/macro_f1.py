"""Macro F1."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfClasses, mean_over, ratio


class MacroF1(ScoreOfClasses):
    """The mean over classes of F1, the harmonic mean of precision and recall: each class counts the same, however rare.

    Classes that occur neither in the targets nor in the predictions are left out. F1 = 2 TP / (2 TP + FP + FN), 0 where nothing was
    predicted. Definition: scikit-learn, `f1_score(average="macro", zero_division=0)`.
    """

    def finish(self, hits: np.ndarray, *, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
        return mean_over(ratio(2 * hits, predicted + actual), predicted + actual > 0)
