"""Expected calibration error."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans
from leadline.record.counts import RELIABILITY_BINS, reliability_bin


class Ece(ScoreOfMeans):
    """How far the confidence of the predictions is from how often they are right, on average over 15 bins of equal width.

    0.02 means that an answer given with confidence 0.90 is right in 88 to 92 of 100 cases or so. Sum over bins of (examples in the bin /
    all) * |accuracy - mean confidence|. Small test sets make it larger than it is. Source: Guo et al., "On Calibration of Modern Neural
    Networks", 2017, arXiv:1706.04599.
    """

    needs = "probabilities"
    better = "min"
    bounds = (0.0, 1.0)
    grows_by_resampling = True  # a mean of absolute gaps: any extra noise widens each of them

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        confidence = predictions.max(axis=1).astype(np.float64)
        gap = (predictions.argmax(axis=1) == targets) - confidence
        terms = np.zeros((len(targets), RELIABILITY_BINS))
        terms[np.arange(len(targets)), reliability_bin(confidence)] = gap
        return terms

    def finish(self, means: np.ndarray) -> np.ndarray:
        return np.abs(means).sum(axis=1)
