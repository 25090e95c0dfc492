"""Perplexity."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class Perplexity(ScoreOfMeans):
    """e to the mean loss per token, in nats: among how many equally likely tokens the network wavers. Lower is better.

    Comparable between networks with one tokenizer only; see bits_per_character for others.
    """

    needs = "tokens"
    better = "min"
    bounds = (1.0, float("inf"))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return predictions[:, :2]

    def finish(self, means: np.ndarray) -> np.ndarray:
        counts = means[:, 1]
        mean = np.divide(means[:, 0], counts, out=np.full(len(means), np.nan), where=counts > 0)
        return np.exp(np.minimum(mean, 700.0))  # beyond, e to it is no number of this machine
