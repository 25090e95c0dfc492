"""What `--heal` did to a run, from heal.json: each cure with its change, where the run began again, and the losses before and after."""

from __future__ import annotations

import json
from typing import Any

from leadline.report.folder import RunFolder, mapping
from leadline.report.sections.curves import Points, points
from leadline.report.words import is_number, number, plain


def view(run: RunFolder) -> dict[str, Any] | None:
    """One row a cure; None for a run that was not healed."""
    record = _record(run)
    rounds = [_row(mapping(each)) for each in record.get("rounds", [])]
    return {"rows": rounds, "given_up": bool(record.get("given_up"))} if rounds else None


def healed(run: RunFolder) -> list[tuple[str, Points]]:
    """(label, training loss) of each course of the run, the one that counts last; empty for a run that was not healed."""
    rounds = [mapping(each) for each in _record(run).get("rounds", [])]
    courses: list[tuple[str, Points]] = []
    changed = "as it was"
    for each in rounds:
        code = f"{mapping(each.get('finding')).get('code')} {str(mapping(each.get('finding')).get('cause')).replace('_', ' ')}"
        line = _line(mapping(each.get("before")))
        courses += [(f"{changed}: {code}", line)] if line else []
        changed = _change(each)
    return [*courses, (changed, points(run, "loss", split="train"))] if courses else []


def _row(each: dict[str, Any]) -> dict[str, Any]:
    finding = mapping(each.get("finding"))
    before, after = _line(mapping(each.get("before"))), _line(mapping(each.get("after")))
    return {
        "code": finding.get("code", ""),
        "cause": str(finding.get("cause", "")).replace("_", " "),
        "explanation": finding.get("explanation", ""),
        "change": _change(each),
        "from": each.get("from", ""),
        "why": each.get("why", ""),
        "losses": f"{number(before[-1][1])} before, {number(after[-1][1])} after" if before and after else "",
        "helped": each.get("helped"),
    }


def _change(each: dict[str, Any]) -> str:
    pairs = mapping(each.get("changed")).items()
    changes = [f"{key} {plain(pair[0])} -> {plain(pair[1])}" for key, pair in pairs if isinstance(pair, list)]
    left_out = ", ".join(str(step) for step in each.get("left_out", []))
    return ", ".join([*changes, *([f"step {left_out} left out"] if left_out else [])]) or "nothing changed"


def _line(curve: dict[str, Any]) -> Points:
    pairs = zip(curve.get("step", []), curve.get("loss", []), strict=False)
    return [(x, y) for x, y in pairs if is_number(x) and is_number(y)]


def _record(run: RunFolder) -> dict[str, Any]:
    try:
        return mapping(json.loads((run.folder / "heal.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
