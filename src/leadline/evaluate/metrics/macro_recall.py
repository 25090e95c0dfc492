"""Macro recall."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfClasses, mean_over, ratio


class MacroRecall(ScoreOfClasses):
    """The mean over classes of recall: of the examples that truly have this class, the share that was found.

    Classes that occur neither in the targets nor in the predictions are left out; a class predicted but absent counts 0. Definition:
    scikit-learn, `recall_score(average="macro", zero_division=0)`.
    """

    def finish(self, hits: np.ndarray, *, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
        return mean_over(ratio(hits, actual), predicted + actual > 0)
