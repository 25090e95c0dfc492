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
        # Sums of counts stay below 2^24 here, so single precision is exact, and half the memory is moved.
        drawn_NR = np.ascontiguousarray(counts.T, dtype=np.float32 if counts.shape[1] < 2**24 else np.float64)
        areas = [_area(predictions[:, code], targets == code, drawn_NR=drawn_NR) for code in classes]
        return np.mean(areas, axis=0)


def _area(ranking: np.ndarray, positive: np.ndarray, *, drawn_NR: np.ndarray) -> np.ndarray:
    """(R,) areas for one class, NaN where a resample holds only one side."""
    order = np.argsort(ranking, kind="stable")
    ranked, hits = ranking[order], np.flatnonzero(positive[order])
    below = drawn_NR[order]
    above = below[hits].astype(np.float64)
    below[hits] = 0
    np.cumsum(below, axis=0, out=below)
    # Each positive beats the negatives ranked lower, and half of those of equal rank.
    first, last = np.searchsorted(ranked, ranked[hits], side="left"), np.searchsorted(ranked, ranked[hits], side="right") - 1
    lower = np.where(first[:, None] > 0, below[first - 1], 0).astype(np.float64)
    won = (above * (lower + below[last]) / 2).sum(axis=0)
    pairs = above.sum(axis=0) * below[-1].astype(np.float64)
    return np.divide(won, pairs, out=np.full(drawn_NR.shape[1], np.nan), where=pairs > 0)
