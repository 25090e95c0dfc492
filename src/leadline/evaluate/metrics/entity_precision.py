"""Of the names found, the share that is right."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.names import ScoreOfNames, share


class EntityPrecision(ScoreOfNames):
    """Of the names found, the share that is right.

    Counted over all sentences together, as conlleval does (Tjong Kim Sang and De Meulder 2003).
    """

    def finish(self, means: np.ndarray) -> np.ndarray:
        return share(means[:, 0], means[:, 1])
