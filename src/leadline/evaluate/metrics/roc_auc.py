"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.metric import Metric, number_or_none


class RocAuc(Metric):
    """The chance that a random example of the class gets a higher probability for it than a random example of another class.

    0.5 is guessing, 1 is perfect; it looks at the order of the probabilities only, so neither the threshold nor the class sizes matter.
    With two classes it is that of the second; with more it is the mean over classes of one against the rest. Not defined (None) when a
    class is absent. Computed from ranks (the Mann-Whitney statistic, ties count one half: Hanley and McNeil, 1982,
    doi:10.1148/radiology.143.1.7063747); equal to scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`.
    """

    needs = "probabilities"
    better = "max"
    bounds = (0.0, 1.0)

    def score(self, predictions: np.ndarray, targets: np.ndarray) -> float | None:
        if not len(targets):
            return None
        return number_or_none(self.resampled(predictions, targets, counts=np.ones((1, len(targets))))[0])

    def resampled(self, predictions: np.ndarray, targets: np.ndarray, *, counts: np.ndarray) -> np.ndarray:
        num_classes = predictions.shape[1]
        classes = [1] if num_classes == 2 else range(num_classes)
        areas = [_area(predictions[:, code], targets == code, counts=counts) for code in classes]
        return np.mean(areas, axis=0)


def _area(ranking: np.ndarray, positive: np.ndarray, *, counts: np.ndarray) -> np.ndarray:
    """(R,) areas for one class, NaN where a resample holds only one side."""
    order = np.argsort(ranking, kind="stable")
    ranked = ranking[order]
    ties = np.concatenate([[0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1])
    drawn = counts[:, order].astype(np.float64)
    above = np.add.reduceat(drawn * positive[order], ties, axis=1)
    below = np.add.reduceat(drawn * ~positive[order], ties, axis=1)
    won = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    pairs = above.sum(axis=1) * below.sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)
