"""Of the names that are there, the share that is found."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.names import ScoreOfNames, share


class EntityRecall(ScoreOfNames):
    """Of the names that are there, the share that is found.

    Counted over all sentences together, as conlleval does (Tjong Kim Sang and De Meulder 2003).
    """

    def finish(self, means: np.ndarray) -> np.ndarray:
        return share(means[:, 0], means[:, 2])
