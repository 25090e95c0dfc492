"""The answer: what was learnt, how good it is and how sure that is, and whether something simpler does as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadline.report.folder import RunFolder, mapping
from leadline.report.words import BASELINES, SIDES, TASKS, duration, is_number, lower_is_better, main_metric, number, score_name

STATUS = {
    "finished": ("good", "finished"),
    "running": ("open", "still running when this was written"),
    "stopped": ("open", "stopped by a signal before its end"),
    "failed": ("bad", "failed"),
}


def view(run: RunFolder) -> dict[str, Any]:
    """Everything the page says first."""
    side = run.headline
    scores = mapping(run.scores.get(side)) if side else {}
    metric = main_metric(run.scores)
    status = str(run.run.get("status", "unknown"))
    task = run.run.get("task") or run.recipe.get("task")
    return {
        "title": _title(run, task),
        "task": TASKS.get(str(task), str(task).replace("_", " ") if task else "task unknown"),
        "status": STATUS.get(status, ("open", f"status {status}")),
        "side": SIDES.get(side or "", ""),
        "examples": len(run.predictions.get(side or "", {}).get("index", [])),
        "metric": score_name(metric) if metric else None,
        "score": number(scores.get(metric)) if metric else None,
        "interval": _interval(run, metric),
        "verdict": run.scores.get("verdict"),
        "others": [(score_name(name), number(value), _interval(run, name)) for name, value in scores.items() if name != metric],
        "ladder": ladder(run, metric, scores=scores) if metric else None,
        "facts": _headline_facts(run),
        "why": run.why("scores.json"),
    }


def _title(run: RunFolder, task: Any) -> str:
    data = run.data.get("name") or mapping(run.recipe.get("data")).get("source")
    return Path(str(data)).name if data else str(task or run.name)


def _interval(run: RunFolder, metric: str | None) -> str | None:
    pair = mapping(run.scores.get("intervals")).get(metric or "")
    if not (isinstance(pair, list) and len(pair) == 2 and all(is_number(end) for end in pair)):
        return None
    return f"{number(pair[0])} to {number(pair[1])}"


def _headline_facts(run: RunFolder) -> list[tuple[str, str]]:
    model = mapping(run.recipe.get("model")).get("name")
    best = run.scores.get("best_step")
    of = f" of {run.scores['steps']:,}" if isinstance(run.scores.get("steps"), int) else ""
    training = run.scores.get("train_seconds")
    facts = [
        ("network", str(model) if model else None),
        ("weights kept", f"those of step {best:,}{of}" if isinstance(best, int) else None),
        ("ended", "early, without a better score" if run.scores.get("stopped_early") is True else None),
        ("training", duration(training) if is_number(training) else None),
        ("whole run", duration(run.run.get("seconds")) if is_number(run.run.get("seconds")) else None),
        ("device", run.run.get("device")),
        ("seed", run.run.get("seed")),
        ("started", str(run.run.get("started") or "")[:16].replace("T", " ") or None),
    ]
    return [(name, str(value)) for name, value in facts if value is not None]


def ladder(run: RunFolder, metric: str, *, scores: dict[str, Any]) -> dict[str, Any]:
    """The network and the baselines on one scale: rows with places in percent, best first, and what was not examined."""
    entries = {"network": scores.get(metric)}
    absent: list[tuple[str, str]] = []
    details: dict[str, dict[str, Any]] = {"network": {}}
    for name, baseline in mapping(run.scores.get("baselines")).items():
        details[name] = mapping(baseline)
        if is_number(details[name].get(metric)):
            entries[name] = details[name][metric]
        else:
            absent.append((_who(name, metric), str(details[name].get("not_examined") or "not defined here")))
    rows = {name: float(value) for name, value in entries.items() if is_number(value)}
    pair = mapping(run.scores.get("intervals")).get(metric) or []
    ends = [*rows.values(), *(end for end in pair if is_number(end))]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    scale = Scale(low - room, high + room)
    lower = lower_is_better(metric)
    ordered = sorted(rows, key=lambda name: rows[name] if lower else -rows[name])
    return {
        "rows": [_rung(name, rows[name], who=_who(name, metric), scale=scale, pair=pair, detail=details[name]) for name in ordered],
        "absent": absent,
        "direction": "lower is better" if lower else "higher is better",
        "alone": len(rows) < 2,
    }


class Scale:
    """A stretch of numbers laid over 0 to 100 percent."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def place(self, value: float) -> float:
        """Where a number lies, in percent of the stretch."""
        return round(100 * (value - self.low) / ((self.high - self.low) or 1.0), 2)


def _who(name: str, metric: str) -> str:
    """A baseline in plain words; what stands for "no model at all" depends on what is predicted."""
    numbers = metric in ("rmse", "mae", "r2")
    return BASELINES.get("mean" if name == "majority" and numbers else name, name)


def _rung(name: str, value: float, *, who: str, scale: Scale, pair: list[Any], detail: dict[str, Any]) -> dict[str, Any]:
    is_network = name == "network"
    span = (scale.place(pair[0]), scale.place(pair[1])) if is_network and len(pair) == 2 and all(is_number(end) for end in pair) else None
    notes = [str(note) for note in detail.get("notes") or []]
    if is_number(detail.get("seconds")):
        notes.insert(0, duration(detail["seconds"]))
    return {
        "name": who,
        "is_network": is_network,
        "value": number(value),
        "place": scale.place(value),
        "span": span,
        "notes": "; ".join(notes),
    }
