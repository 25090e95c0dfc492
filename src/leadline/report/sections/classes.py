"""Where a classifier is right and wrong: confusion matrix, per-class scores, and whether its confidence can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np

from leadline.record.counts import ClassScores, confusion, per_class, reliability
from leadline.report import figures
from leadline.report.folder import RunFolder
from leadline.report.words import SIDES, number

# A matrix of more classes than this is no longer read cell by cell: the page shows the commonest confusions instead.
MOST_CELLS = 20
MOST_PAIRS = 8
MOST_ROWS = 100


def view(run: RunFolder) -> dict[str, Any] | None:
    """None when the predictions are numbers; otherwise the tables, or why there are none."""
    if not run.shown:
        return {"why": run.why("predictions/test.parquet"), "missing": True} if _expects_classes(run) else None
    if not run.is_classification:
        return None
    classes = class_names(run)
    matrix = matrix_of(run, classes)
    return {
        "missing": False,
        "side": SIDES.get(run.side or "", ""),
        "matrix": _matrix(matrix, classes) if len(classes) <= MOST_CELLS else None,
        "num_classes": len(classes),
        "pairs": _pairs(matrix, classes),
        "per_class": _per_class(per_class(matrix), classes),
        "left_out": max(0, len(classes) - MOST_ROWS),
        "reliability": _reliability(run),
    }


def _expects_classes(run: RunFolder) -> bool:
    return run.data.get("target_kind", "classes") == "classes"


def class_names(run: RunFolder) -> list[str]:
    """The classes in the order of their codes, and any that only the predictions know at the end."""
    known = [str(label) for label in run.data.get("classes") or []]
    seen = {str(label) for label in [*run.shown.get("target", []), *run.shown.get("prediction", [])]}
    return known + sorted(seen - set(known))


def matrix_of(run: RunFolder, classes: list[str]) -> np.ndarray:
    """(C, C) counts over the shown predictions, rows the true class."""
    code = {label: place for place, label in enumerate(classes)}
    target = np.array([code[str(label)] for label in run.shown["target"]], dtype=np.int64)
    said = np.array([code[str(label)] for label in run.shown["prediction"]], dtype=np.int64)
    return confusion(target, said, num_classes=len(classes))


def _matrix(matrix: np.ndarray, classes: list[str]) -> dict[str, Any]:
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    share = matrix / totals
    rows = [
        {
            "label": classes[i],
            "cells": [
                {"count": f"{matrix[i, j]:,}", "share": round(float(share[i, j]), 3), "right": i == j, "said": classes[j]}
                for j in range(len(classes))
            ],
        }
        for i in range(len(classes))
    ]
    return {"classes": classes, "rows": rows, "few": len(classes) <= 5}


def _pairs(matrix: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    """The commonest confusions: true class, what was said, how often, and of how many."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    places = [np.unravel_index(flat, wrong.shape) for flat in order]
    return [
        {"true": classes[int(i)], "said": classes[int(j)], "count": int(wrong[i, j]), "of": int(matrix[i].sum())}
        for i, j in places
        if wrong[i, j]
    ]


def _per_class(scores: ClassScores, classes: list[str]) -> list[dict[str, Any]]:
    """One row a class, the lowest F1 first, because that is where to look."""
    rows = [
        {
            "label": label,
            "precision": number(scores.precision[i]),
            "recall": number(scores.recall[i]),
            "f1": number(scores.f1[i]),
            "bar": round(100 * (scores.f1[i] or 0)),
            "support": f"{scores.support[i]:,}",
            "order": scores.f1[i] if scores.f1[i] is not None else 2.0,
        }
        for i, label in enumerate(classes)
    ]
    return sorted(rows, key=lambda row: row["order"])[:MOST_ROWS]


def _reliability(run: RunFolder) -> dict[str, Any] | None:
    sure = np.array(run.shown["confidence"], dtype=np.float64)
    if not np.isfinite(sure).all():
        return None
    right = np.array(run.shown["target"], dtype=object) == np.array(run.shown["prediction"], dtype=object)
    diagram = reliability(sure, right)
    lean = float(sure.mean() - right.mean())
    words = "surer than it should be" if lean > 0.01 else "less sure than it could be" if lean < -0.01 else "about as sure as it is right"
    return {
        "svg": figures.reliability(diagram),
        "gap": number(diagram.gap),
        "words": words,
        "confidence": number(float(sure.mean())),
        "accuracy": number(float(right.mean())),
    }
