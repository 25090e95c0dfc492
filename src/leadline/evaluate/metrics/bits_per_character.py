"""Bits per character."""

from __future__ import annotations

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


class BitsPerCharacter(ScoreOfMeans):
    """The summed loss in bits, divided by the characters of the text: how many bits each would take if the network packed it.

    Comparable between tokenizers that lose nothing (characters, bytes, bpe). Tokens that stand for no characters (begin, end) cost bits and
    count none; what a tokenizer does not know counts none either. Lower is better.
    """

    needs = "tokens"
    better = "min"
    bounds = (0.0, float("inf"))

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return predictions[:, [0, 3]]

    def finish(self, means: np.ndarray) -> np.ndarray:
        characters = means[:, 1]
        return np.divide(means[:, 0], characters * np.log(2), out=np.full(len(means), np.nan), where=characters > 0)
