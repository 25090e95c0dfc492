"""A comparison as people read it: aligned text for the terminal, and one picture of the curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leadline.report.comparison import SEED, Comparison, Range
from leadline.report.folder import read_run
from leadline.report.plots import draw_line, draw_plot, finish
from leadline.report.sameness import Changes, Judgement, better
from leadline.report.sections.curves import points
from leadline.report.words import SIDES, lower_is_better, main_metric, number, plain, score_name

COLOURS = ("#1f6fb2", "#c8590b", "#1a7f5a", "#8a4fb0", "#a8801a", "#b8406f", "#4a8f9c", "#6b7078")


def to_text(found: Comparison) -> str:
    """The comparison as aligned plain text."""
    heads = [group.name for group in found.groups]
    parts = ["Settings that differ", _table(heads, {key: [plain(value) for value in values] for key, values in found.settings.items()})]
    if not found.settings:
        parts[1] = "  none but the seed"
    seeds = {SEED: [", ".join(plain(seed) for seed in group.seeds) for group in found.groups]}
    parts += ["", "Scores (mean, and lowest to highest over seeds; * the best of its row)", _table(heads, {**_score_rows(found), **seeds})]
    parts += ["", "Real or noise", *(_sentence(judgement) for judgement in found.judgements)]
    for change in found.changed:
        parts += ["", f"Examples that changed from {change.first} to {change.second}", *_change_lines(change)]
    return "\n".join(parts)


def _sentence(judgement: Judgement) -> str:
    return f"  {judgement.second} against {judgement.first}: {judgement.word}: {judgement.why}"


def _score_rows(found: Comparison) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for side in SIDES:
        names = list(dict.fromkeys(name for group in found.groups for name in group.scores.get(side, {})))
        for name in names:
            ranges = [group.scores.get(side, {}).get(name) for group in found.groups]
            best = None if "task" in found.settings else better(name, [part and part.mean for part in ranges])
            arrow = "lower is better" if lower_is_better(name) else ""
            label = f"{side} {score_name(name)}{f' ({arrow})' if arrow else ''}"
            rows[label] = [f"{_shown(part)}{' *' if place == best else ''}" for place, part in enumerate(ranges)]
    rows["best step"] = [", ".join(number(step) if step is not None else "-" for step in group.best_steps) for group in found.groups]
    return rows


def _shown(part: Range | None) -> str:
    if part is None:
        return "not measured"
    return number(part.mean) if part.runs == 1 else f"{number(part.mean)} ({number(part.low)} to {number(part.high)})"


def _change_lines(change: Changes) -> list[str]:
    lines = [f"  right, then wrong: {change.num_broken:,}", *(_change_line(row) for row in change.broken[:8])]
    return [*lines, f"  wrong, then right: {change.num_mended:,}", *(_change_line(row) for row in change.mended[:8])]


def _change_line(row: tuple[str, str, str, str]) -> str:
    name, target, before, after = row
    return f"    {name}: {target}, said {before}, then {after}"


def _table(heads: list[str], rows: dict[str, list[str]]) -> str:
    lines = [["", *heads], *([key, *values] for key, values in rows.items())]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads) + 1)]
    return "\n".join("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def plot_curves(folders: Sequence[Path | str], path: Path) -> Path:
    """Draw validation loss and the main score of every run over its steps into one PNG."""
    runs = [read_run(folder) for folder in folders]
    metric = next((found for found in (main_metric(run.scores) for run in runs) if found not in (None, "loss")), None)

    def curve(name: str) -> Any:
        def draw(axes: Any) -> None:
            for place, run in enumerate(runs):
                draw_line(
                    axes,
                    points(run, name, split="val"),
                    label=run.name.replace("$", r"\$"),
                    colour=COLOURS[place % len(COLOURS)],
                    exact=True,
                )
            finish(axes, f"Validation {score_name(name)}", score_name(name))

        return draw

    return draw_plot(path, curve("loss"), *([curve(metric)] if metric else []))
