"""Whole names in rows of tags: B-ORG I-ORG is one name; scores over them that can be resampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leadline.evaluate.families import ScoreOfMeans


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """(kind, first, last) of each name, as conlleval counts them: a name begins with B-, or with I- where no name of its kind goes on.

    Tags without a prefix (parts of speech) are names of one word; O is none.
    """
    found: set[tuple[str, int, int]] = set()
    start, kind = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, dash, own = tag.partition("-")
        goes_on = bool(dash) and prefix in ("I", "E", "L", "M") and own == kind
        if kind and not goes_on:
            found.add((kind, start, place - 1))
            kind = ""
        if not goes_on and tag != "O":
            start, kind = place, own if dash else tag
    return found


class ScoreOfNames(ScoreOfMeans):
    """A function of three counts per sentence: names rightly found, found, and there."""

    needs = "tags"
    better = "max"
    bounds = (0.0, 1.0)

    def terms(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        pairs = [(spans(said), spans(true)) for said, true in predictions]
        return np.array([[len(said & true), len(said), len(true)] for said, true in pairs], np.float64).reshape(-1, 3)


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where nothing is there to be a part of."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
