"""What the run learnt from: classes, splits with their fingerprints, oddities, columns, and what the program guessed."""

from __future__ import annotations

from typing import Any

from leadline.report.folder import RunFolder, mapping
from leadline.report.words import number, plain, score_name

MOST_CLASSES = 60
TONES = {"excluded": "bad", "suspect": "warn", "odd": "open"}


def view(run: RunFolder) -> dict[str, Any]:
    """Facts as rows; `why` says what is absent."""
    facts = run.data
    images = mapping(facts.get("images"))
    return {
        "why": "" if facts else run.why("facts.json"),
        "summary": _summary(facts),
        "classes": _classes(facts),
        "more_classes": max(0, len(facts.get("classes") or []) - MOST_CLASSES),
        "split": _split(run),
        "problems": [_problem(mapping(entry)) for entry in facts.get("problems") or []],
        "columns": [_column(mapping(entry)) for entry in facts.get("columns") or []],
        "images": [(name, plain(images[key])) for key, name in _IMAGE_ROWS if images.get(key)],
    }


_IMAGE_ROWS = (
    ("width", "width in pixels (smallest, median, largest)"),
    ("height", "height in pixels (smallest, median, largest)"),
    ("modes", "colour modes"),
)


def _summary(facts: dict[str, Any]) -> str:
    if not facts:
        return ""
    kind = "pictures" if facts.get("kind") == "images" else "rows"
    parts = [f"{facts.get('num_examples', 0):,} {kind}"]
    if facts.get("classes"):
        parts.append(f"{len(facts['classes'])} classes")
    if facts.get("columns"):
        used = sum(bool(mapping(column).get("used")) for column in facts["columns"])
        parts.append(f"{used} of {len(facts['columns'])} columns used")
    if facts.get("target"):
        parts.append(f"target {facts['target']}")
    return ", ".join(parts)


def _classes(facts: dict[str, Any]) -> list[dict[str, Any]]:
    pairs = list(zip(facts.get("classes") or [], facts.get("class_counts") or [], strict=False))
    most, total = max((count for _, count in pairs), default=1), sum(count for _, count in pairs) or 1
    return [
        {"label": str(label), "count": f"{count:,}", "share": f"{100 * count / total:.1f} %", "bar": round(100 * count / (most or 1))}
        for label, count in pairs[:MOST_CLASSES]
    ]


def _split(run: RunFolder) -> dict[str, Any] | None:
    split = mapping(run.facts.get("split"))
    counts, hashes = mapping(split.get("counts")), mapping(split.get("hashes"))
    if not counts:
        return None
    total = sum(counts.values()) or 1
    names = {"train": "training", "val": "validation", "test": "test"}
    rows = [
        {
            "side": names.get(side, side),
            "count": f"{count:,}",
            "share": f"{100 * count / total:.1f} %",
            "width": round(100 * count / total, 2),
            "hash": str(hashes.get(side, "")),
        }
        for side, count in counts.items()
    ]
    return {"how": str(split.get("how", "")), "rows": rows}


def _problem(entry: dict[str, Any]) -> dict[str, Any]:
    items = [str(item) for item in entry.get("items") or []]
    return {
        "kind": str(entry.get("kind", "")).replace("_", " "),
        "severity": entry.get("severity", "odd"),
        "tone": TONES.get(str(entry.get("severity")), "open"),
        "count": f"{entry.get('count', 0):,}",
        "explanation": entry.get("explanation", ""),
        "items": items[:8],
        "more": max(0, len(items) - 8),
    }


def _column(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": str(entry.get("name", "")),
        "kind": str(entry.get("kind", "")),
        "missing": f"{entry.get('missing', 0):,}",
        "unique": f"{entry.get('unique', 0):,}",
        "example": plain(entry.get("example")) if entry.get("example") is not None else "",
        "used": bool(entry.get("used")),
        "reason": entry.get("reason", ""),
    }


def guesses(run: RunFolder) -> dict[str, Any]:
    """What the program chose by itself, its evidence, and the words that choose otherwise."""
    entries = run.facts.get("guesses")
    if not isinstance(entries, list):
        entries = run.data.get("guesses") or []
    rows = [{key: str(mapping(entry).get(key, "")) for key in ("what", "evidence", "override")} for entry in entries]
    return {"rows": rows, "why": "" if "facts.json" not in run.absent else run.why("facts.json")}


def groups(run: RunFolder) -> dict[str, Any] | None:
    """Scores of each value of the group column, when the recipe asked for them."""
    found = mapping(run.scores.get("groups"))
    scores = mapping(found.get("scores"))
    if not scores:
        return None
    columns = list(dict.fromkeys(key for part in scores.values() for key in mapping(part)))
    rows = [{"label": str(label), "cells": [number(mapping(part).get(key)) for key in columns]} for label, part in scores.items()]
    return {
        "by": str(found.get("by", "group")),
        "columns": [score_name(key) for key in columns],
        "rows": rows,
        "left_out": found.get("left_out") or 0,
    }
