"""Scores of each group: the same numbers, once for every value of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leadline.evaluate.evaluate import scores
from leadline.evaluate.predictions import Predictions
from leadline.tasks.task import Task

# More values than this is a column of ids, not of groups; the largest are kept and the rest counted.
MOST_GROUPS = 50


def group_scores(
    predictions: Predictions, groups: np.ndarray, *, by: str, task: Task, metrics: Sequence[str] | None = None
) -> dict[str, Any]:
    """{"by": column, "scores": {value: {"examples": n, "loss": ..., metrics}}, "left_out": number of smaller groups}, largest first.

    groups: (N,) the value of each prediction's example, in the same order. A score that a group cannot have is None.
    """
    labels = np.array(["missing" if value is None or value != value else str(value) for value in groups])
    values, counts = np.unique(labels, return_counts=True)
    order = np.lexsort((values, -counts))
    found = {}
    for place in order[:MOST_GROUPS]:
        part = predictions.take(np.flatnonzero(labels == values[place]))
        found[str(values[place])] = {"examples": len(part), **scores(part, task, metrics=metrics)}
    return {"by": by, "scores": found, "left_out": max(0, len(values) - MOST_GROUPS)}
