"""A leadline run folder: its metrics.jsonl."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from leadline.doctor.logs.trace import Points, Trace, series_of
from leadline.record.run import Run

NAMES = {("train", "loss"): "train/loss", ("val", "loss"): "val/loss", ("train", "lr"): "lr", ("train", "grad_norm"): "grad_norm"}


def recognises(path: Path) -> bool:
    """Whether it is a run folder."""
    return (path / "run.json").is_file()


def read(path: Path) -> Trace:
    """Its trace, and the loss of the best constant answer where the classes are known. Raises InputError LL011."""
    raw: dict[str, Points] = {}
    for row in Run.open(path).journal.read():
        for key, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and key not in ("step", "epoch"):
                raw.setdefault(NAMES.get((row["split"], key), f"{row['split']}/{key}"), []).append((row["step"], value))
    return Trace(path.name, "run", {name: series_of(points) for name, points in raw.items()}, _trivial(path))


def _trivial(path: Path) -> float | None:
    """The entropy of the labels, which a constant answer reaches under cross-entropy; a standardised target's is 1 (mse)."""
    try:
        facts: dict[str, Any] = json.loads((path / "facts.json").read_text(encoding="utf-8"))["facts"]
    except (OSError, ValueError, KeyError):
        return None
    counts = [count for count in facts.get("class_counts") or [] if count]
    total = sum(counts)
    return -sum(count / total * math.log(count / total) for count in counts) if len(counts) > 1 else None
