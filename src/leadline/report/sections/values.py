"""Where a regression is right and wrong: predicted against true, and the errors that are left."""

from __future__ import annotations

from typing import Any

import numpy as np

from leadline.report import figures
from leadline.report.folder import RunFolder
from leadline.report.words import SIDES, is_number, number

MOST_POINTS = 1500


def view(run: RunFolder) -> dict[str, Any] | None:
    """None for classifiers and for targets of several values."""
    if run.is_classification or not {"target", "prediction"} <= set(run.shown):
        if run.data.get("target_kind") == "numbers":
            return {"missing": True, "why": run.why("predictions/test.parquet")}
        return None
    true, said = pairs_of(run)
    if not len(true):
        return {"missing": True, "why": "no prediction is a number"}
    error = said - true
    return {
        "missing": False,
        "side": SIDES.get(run.side or "", ""),
        "target": str(run.data.get("target") or "target"),
        "scatter": figures.scatter(*_sample(true, said), names=("true", "predicted"), diagonal=True),
        "residuals": figures.histogram(error, name="error (predicted − true)"),
        "spread": figures.scatter(*_sample(said, error), names=("predicted", "error"), level=True),
        "drawn": min(len(true), MOST_POINTS),
        "total": len(true),
        "lean": number(float(error.mean())),
        "median": number(float(np.median(np.abs(error)))),
        "tail": number(float(np.quantile(np.abs(error), 0.95))),
    }


def pairs_of(run: RunFolder) -> tuple[np.ndarray, np.ndarray]:
    """(N,) true and (N,) predicted numbers, without rows where either is none."""
    kept = [(a, b) for a, b in zip(run.shown["target"], run.shown["prediction"], strict=True) if is_number(a) and is_number(b)]
    both = np.array(kept, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _sample(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evenly chosen points, so that the page stays small; the order of the rows carries no meaning."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(int))
    return x[kept], y[kept]
