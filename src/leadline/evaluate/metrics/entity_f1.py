"""F1 of whole names."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.names import ScoreOfNames, share


class EntityF1(ScoreOfNames):
    """F1 of whole names: the harmonic mean of precision and recall; a name counts only when all its words and its kind are right.

    Counted over all sentences together, as conlleval does (Tjong Kim Sang and De Meulder 2003).
    """

    def finish(self, means: np.ndarray) -> np.ndarray:
        return share(2 * means[:, 0], means[:, 1] + means[:, 2])
