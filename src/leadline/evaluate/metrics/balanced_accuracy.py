"""Balanced accuracy."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfClasses, mean_over, ratio


class BalancedAccuracy(ScoreOfClasses):
    """The mean of the recall of each class that occurs in the targets: accuracy as if all classes were equally large.

    Always guessing one of C classes gives 1/C. Definition: scikit-learn, `balanced_accuracy_score`.
    """

    def finish(self, hits: np.ndarray, *, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
        return mean_over(ratio(hits, actual), actual > 0)
