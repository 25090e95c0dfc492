"""Runs side by side: only the settings that differ, scores at their best step, seeds as ranges, and what is real and what is noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.report.comparison import SEED, Comparison, Group, Range
from leadline.report.folder import RunFolder, mapping, read_run
from leadline.report.sameness import Judgement, changes, judge_pair, judge_seeds
from leadline.report.side_by_side import plot_curves, to_text
from leadline.report.words import SIDES, flatten, is_number, main_metric

__all__ = ["compare", "plot_curves", "to_text"]


def compare(folders: Sequence[Path | str]) -> Comparison:
    """Lay runs side by side; the first named is what the others are held against.

    Raises InputError LL035 for fewer than two runs or a run named twice, LL011 for a folder that holds no run.
    """
    runs = [read_run(folder) for folder in folders]
    places = {run.folder.resolve() for run in runs}
    if len(places) < max(2, len(runs)):
        raise InputError("LL035", "compare needs at least two different runs", help="leadline compare RUN RUN")
    members = _grouped(runs)
    metric = next((found for found in (main_metric(run.scores) for run in runs) if found), None)
    groups = tuple(_group(part) for part in members)
    first, rest = members[0], members[1:]
    pairs = [(first, other) for other in rest] or [([first[0]], [other]) for other in first[1:]]
    return Comparison(
        groups=groups,
        settings=_differing([_settings(part[0]) for part in members]),
        metric=metric,
        judgements=tuple(_judge(one, two, metric=metric) for one, two in pairs),
        changed=tuple(found for one, two in pairs if (found := changes(one[0], two[0])) is not None),
        folders=tuple(str(run.folder) for run in runs),
    )


def _settings(run: RunFolder) -> dict[str, Any]:
    return {key: value for key, value in flatten(run.recipe).items() if key != SEED}


def _grouped(runs: list[RunFolder]) -> list[list[RunFolder]]:
    """Runs of equal settings but for the seed, in the order they were named; a run without a recipe stands alone."""
    groups: list[list[RunFolder]] = []
    for run in runs:
        same = next((part for part in groups if run.recipe and _settings(part[0]) == _settings(run)), None)
        if same is None:
            groups.append([run])
        else:
            same.append(run)
    return groups


def _differing(settings: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    keys = list(dict.fromkeys(key for part in settings for key in part))
    rows = {key: tuple(part.get(key) for part in settings) for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values[1:])}


def _group(runs: list[RunFolder]) -> Group:
    scores: dict[str, dict[str, Range]] = {}
    for side in SIDES:
        names = list(dict.fromkeys(name for run in runs for name in mapping(run.scores.get(side))))
        found = {name: _range([mapping(run.scores.get(side)).get(name) for run in runs]) for name in names}
        known = {name: value for name, value in found.items() if value is not None}
        scores |= {side: known} if known else {}
    steps = [run.scores.get("best_step") for run in runs]
    return Group(
        name=runs[0].name if len(runs) == 1 else f"{runs[0].name} +{len(runs) - 1}",
        runs=tuple(run.name for run in runs),
        seeds=tuple(flatten(run.recipe).get(SEED, run.run.get("seed")) for run in runs),
        best_steps=tuple(step if isinstance(step, int) else None for step in steps),
        scores=scores,
    )


def _range(values: list[Any]) -> Range | None:
    known = [float(value) for value in values if is_number(value)]
    return Range(sum(known) / len(known), min(known), max(known), len(known)) if known else None


def _judge(first: list[RunFolder], second: list[RunFolder], *, metric: str | None) -> Judgement:
    """By the ranges of the seeds where there are three on each side, else by a paired bootstrap of the first run of each."""
    if metric:
        values = [
            [float(value) for run in part if is_number(value := mapping(run.scores.get("test")).get(metric))] for part in (first, second)
        ]
        by_seeds = judge_seeds((first[0].name, values[0]), (second[0].name, values[1]), metric=metric)
        if by_seeds is not None:
            return by_seeds
    return judge_pair(first[0], second[0])
