"""Curves: what metrics.jsonl holds, thinned so that peaks survive, as plain lists for the page and for the pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from leadline.report.folder import RunFolder, mapping
from leadline.report.words import is_number, lower_is_better, main_metric, number, score_name

# Points of one curve: more than a screen has columns, and small enough for a page of 2 MB.
MOST_POINTS = 1200

# Points of a curve without its noise: enough for every turn that a person would speak of.
EVEN_POINTS = 150
# Curves drawn through every point: a rate has corners that mean something, and a validation score is one decision.
EXACT = frozenset({"validation", "planned", "used"})
# Charts that show no single steps behind the evened curve: too many curves, or nothing to learn from the noise.
CALM = frozenset({"layers", "speed"})
# Layers whose gradient norm is drawn: as many as the eye tells apart.
MOST_LAYERS = 6
# Names of the page's colours: the same word has the same colour in every chart.
PALETTE = ("one", "two", "three", "four", "five", "six")
COLOURS = {"train": "one", "validation": "two"}

Points = list[tuple[float, float]]


def view(run: RunFolder) -> dict[str, Any]:
    """Charts with their series, the best step, and a sentence on each for those who do not see it."""
    metric = main_metric(run.scores)
    charts = [
        _chart("loss", "Loss", [("train", points(run, "loss", split="train")), ("validation", points(run, "loss", split="val"))]),
        _metric_chart(run, metric),
        _chart("rate", "Learning rate", [("planned", planned(run)), ("used", points(run, "lr", split="train"))]),
        _norm_chart(run),
        _layers_chart(run),
        _chart("speed", "Examples per second", [("train", points(run, "examples_per_s", split="train"))]),
    ]
    shown = [chart for chart in charts if chart and chart["series"]]
    best = run.scores.get("best_step")
    for chart in shown:
        chart["summary"] = summary(chart, best)
    names = {chart["id"] for chart in shown}
    wanted = {"loss": "Loss", "rate": "Learning rate", "norm": "Gradient norm"}
    return {
        "charts": shown,
        "best": best if is_number(best) else None,
        "missing": [title for key, title in wanted.items() if key not in names],
        "why": run.why("metrics.jsonl"),
    }


def _metric_chart(run: RunFolder, metric: str | None) -> dict[str, Any] | None:
    if metric in (None, "loss"):
        return None
    series = [("train", points(run, metric, split="train")), ("validation", points(run, metric, split="val"))]
    return _chart("metric", score_name(metric)[:1].upper() + score_name(metric)[1:], series) | {"higher": not lower_is_better(metric)}


def _norm_chart(run: RunFolder) -> dict[str, Any]:
    after = clipped(run)
    label = "before clipping" if after else "all weights together"
    return _chart("norm", "Gradient norm", [(label, points(run, "grad_norm", split="train")), ("after clipping", after)])


def _layers_chart(run: RunFolder) -> dict[str, Any]:
    """The gradient norm of some layers from the first to the last: where it fades or explodes, and when."""
    names = list(dict.fromkeys(name for row in run.rows for name in mapping(row.get("grad_norms"))))
    kept = [names[round(i * (len(names) - 1) / (MOST_LAYERS - 1))] for i in range(MOST_LAYERS)] if len(names) > MOST_LAYERS else names
    rows = [row for row in run.rows if row.get("split") == "train" and is_number(row.get("step"))]
    lines = [(name, [(row["step"], mapping(row.get("grad_norms")).get(name)) for row in rows]) for name in kept]
    series = [(name, [(x, y) for x, y in line if is_number(y) and y > 0]) for name, line in lines]
    return _chart("layers", "Gradient norm by layer", series if len(names) > 1 else []) | {"log": True}


def _chart(key: str, title: str, series: Iterable[tuple[str, Points]]) -> dict[str, Any]:
    kept = []
    for i, (label, line) in enumerate(series):
        look = {"label": label, "colour": COLOURS.get(label, PALETTE[i % len(PALETTE)])}
        kept += [{**look, "faint": faint, **_columns(part)} for faint, part in drawn(label, line, calm=key in CALM)]
    return {"id": key, "title": title, "series": kept, "higher": False, "log": False}


def drawn(label: str, line: Points, *, calm: bool = False) -> list[tuple[bool, Points]]:
    """(is it pale, points) of each stroke of a curve: a noisy one is drawn pale, step by step, and its means on top."""
    if not line:
        return []
    if label in EXACT or len(line) <= EVEN_POINTS:
        return [(False, thinned(line))]
    return [*([] if calm else [(True, thinned(line))]), (False, evened(line))]


def _columns(line: Points) -> dict[str, list[float]]:
    return {"x": [x for x, _ in line], "y": [y for _, y in line]}


def evened(line: Points, most: int = EVEN_POINTS) -> Points:
    """At most `most` points, each the mean of a stretch of neighbours: the way the curve goes without the noise of single steps."""
    size = -(-len(line) // most) or 1
    stretches = [line[start : start + size] for start in range(0, len(line), size)]
    return [_short((part[len(part) // 2][0] if size > 1 else part[0][0], math.fsum(y for _, y in part) / len(part))) for part in stretches]


def points(run: RunFolder, name: str, *, split: str) -> Points:
    """(step, value) of one number of one side; what is no number leaves a gap."""
    rows = (row for row in run.rows if row.get("split") == split and is_number(row.get("step")))
    return [(row["step"], row[name]) for row in rows if is_number(row.get(name))]


def clipped(run: RunFolder) -> Points:
    """The gradient norm after clipping, when clipping changed it at all."""
    after = points(run, "grad_norm_clipped", split="train")
    return after if after != points(run, "grad_norm", split="train") else []


def planned(run: RunFolder) -> Points:
    """The learning rate as it was drawn before the first step (plots/schedule.json)."""
    try:
        steps = json.loads((run.folder / "plots" / "schedule.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    plan = mapping(steps)
    return [(x, y) for x, y in zip(plan.get("step", []), plan.get("lr", []), strict=False) if is_number(x) and is_number(y)]


def thinned(line: Points, most: int = MOST_POINTS) -> Points:
    """At most `most` points: of each stretch the lowest and the highest, so that a spike is never lost."""
    if len(line) <= most:
        return [_short(point) for point in line]
    size = -(-len(line) * 2 // most)
    kept: Points = []
    for start in range(0, len(line), size):
        stretch = line[start : start + size]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return [_short(point) for point in kept]


def _short(point: tuple[float, float]) -> tuple[float, float]:
    return point[0], float(f"{point[1]:.5g}")  # five digits are finer than a pixel


def summary(chart: dict[str, Any], best: Any) -> str:
    """One sentence: where each curve starts and ends."""
    strong = [line for line in chart["series"] if not line["faint"]]
    parts = [f"{line['label']} from {number(line['y'][0])} to {number(line['y'][-1])}" for line in strong]
    marked = f"; best step {best:,}" if isinstance(best, int) and chart["id"] in ("loss", "metric") else ""
    return f"{chart['title']} over {number(int(strong[0]['x'][-1]))} steps: {'; '.join(parts)}{marked}."
