"""Character error rate."""

from __future__ import annotations

import numpy as np

from leadline.base.find import module
from leadline.evaluate.families import ScoreOfMeans


class Cer(ScoreOfMeans):
    """The share of characters that have to be replaced, taken out or put in to make what was written right, over all texts.

    Over 1 where more is written than was said. Definition and alignment: jiwer. Spaces count.
    """

    needs = "texts"
    better = "min"
    bounds = (0.0, float("inf"))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """(N, 2): changes that make the written text right, and characters of the right text."""
        measure = module("jiwer").process_characters
        found = [measure(str(right), str(written)) for written, right in predictions]
        return np.array(
            [[one.substitutions + one.deletions + one.insertions, one.hits + one.substitutions + one.deletions] for one in found]
        )

    def finish(self, means: np.ndarray) -> np.ndarray:
        return np.divide(means[:, 0], means[:, 1], out=np.full(len(means), np.nan), where=means[:, 1] > 0)
