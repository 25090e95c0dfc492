"""Two runs on the same test examples: whether their scores really differ, and which answers changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from leadline.record.resample import mean_difference
from leadline.report.folder import RunFolder, mapping
from leadline.report.words import is_number, lower_is_better, number, score_name

# Seeds on each side from which their ranges speak for themselves.
SEEDS = 3
MOST_NAMED = 20

Word = Literal["real", "within noise", "cannot tell"]


@dataclass(frozen=True)
class Judgement:
    """Whether `second` differs from `first`: the word, the score it was judged on, and why in one sentence."""

    first: str
    second: str
    word: Word
    metric: str
    why: str


@dataclass(frozen=True)
class Changes:
    """Examples answered differently: (name, target, first's answer, second's answer) of up to 20 on each list, and the true counts."""

    first: str
    second: str
    broken: tuple[tuple[str, str, str, str], ...]
    mended: tuple[tuple[str, str, str, str], ...]
    num_broken: int
    num_mended: int


@dataclass(frozen=True)
class Paired:
    """The test predictions of two runs, row by row on the same examples."""

    names: list[str]
    targets: list[Any]
    first: list[Any]
    second: list[Any]
    classes: bool


def paired(first: RunFolder, second: RunFolder) -> Paired | str:
    """Both runs' test predictions in one order, or why they cannot be laid side by side."""
    sides = [run.predictions.get("test") for run in (first, second)]
    for run, side in zip((first, second), sides, strict=True):
        if not side or not {"name", "target", "prediction"} <= set(side):
            return f"{run.name} holds no predictions on test examples"
    hashes = [mapping(mapping(run.facts.get("split")).get("hashes")).get("test") for run in (first, second)]
    if None not in hashes and hashes[0] != hashes[1]:
        return "different test examples (the hashes of their contents differ)"
    one, two = (_by_name(side) for side in sides if side)
    if {name: row[0] for name, row in one.items()} != {name: row[0] for name, row in two.items()}:
        return "different test examples"
    names = list(one)
    said = [one[name][1] for name in names], [two[name][1] for name in names]
    return Paired(names, [one[name][0] for name in names], *said, classes=first.is_classification)


def _by_name(side: dict[str, list[Any]]) -> dict[str, tuple[Any, Any]]:
    return {str(name): (true, said) for name, true, said in zip(side["name"], side["target"], side["prediction"], strict=True)}


def judge_pair(first: RunFolder, second: RunFolder) -> Judgement:
    """A paired bootstrap on the test examples: of right answers for classes, of squared errors for numbers."""
    both = paired(first, second)
    if isinstance(both, str):
        return Judgement(first.name, second.name, "cannot tell", "", both)
    metric = "accuracy" if both.classes else "rmse"
    cost = [_cost(both.targets, said, classes=both.classes) for said in (both.first, both.second)]
    pair = mean_difference(cost[1], cost[0])
    if pair is None or not np.isfinite(np.concatenate(cost)).all():
        return Judgement(first.name, second.name, "cannot tell", metric, "there are no numbers to compare")
    unit = "share of right answers" if both.classes else "mean squared error"
    gap = f"the {unit} differs by {number(float(cost[1].mean() - cost[0].mean()))}, 95 % interval {number(pair[0])} to {number(pair[1])}"
    word: Word = "within noise" if pair[0] <= 0 <= pair[1] else "real"
    return Judgement(
        first.name, second.name, word, metric, f"{gap}, on the same {len(both.names):,} test examples (another seed may move it more)"
    )


def _cost(targets: list[Any], said: list[Any], *, classes: bool) -> np.ndarray:
    if classes:
        return np.array([true == answer for true, answer in zip(targets, said, strict=True)], dtype=np.float64)
    return np.square(np.array(said, dtype=np.float64) - np.array(targets, dtype=np.float64))


def judge_seeds(first: tuple[str, list[float]], second: tuple[str, list[float]], *, metric: str) -> Judgement | None:
    """Two groups of seeds: real when their ranges of `metric` do not touch. None with fewer than three seeds on a side."""
    (one, ours), (two, theirs) = first, second
    if min(len(ours), len(theirs)) < SEEDS:
        return None
    apart = max(ours) < min(theirs) or max(theirs) < min(ours)
    spread = [f"{number(min(values))} to {number(max(values))} over {len(values)} seeds" for values in (ours, theirs)]
    ranges = " against ".join(spread)
    touch = "do not overlap" if apart else "overlap"
    return Judgement(one, two, "real" if apart else "within noise", metric, f"the ranges of {score_name(metric)} {touch}: {ranges}")


def changes(first: RunFolder, second: RunFolder) -> Changes | None:
    """Right answers that became wrong and wrong ones that became right; None when the examples differ or are numbers."""
    both = paired(first, second)
    if isinstance(both, str) or not both.classes:
        return None
    rows = list(zip(both.names, both.targets, both.first, both.second, strict=True))
    broken = [row for row in rows if row[2] == row[1] != row[3]]
    mended = [row for row in rows if row[3] == row[1] != row[2]]
    return Changes(first.name, second.name, _named(broken), _named(mended), len(broken), len(mended))


def _named(rows: list[tuple[Any, ...]]) -> tuple[tuple[str, str, str, str], ...]:
    return tuple((str(a), str(b), str(c), str(d)) for a, b, c, d in rows[:MOST_NAMED])


def better(metric: str, values: list[Any]) -> int | None:
    """The place of the best of some scores; None for a tie, and when fewer than two are numbers."""
    known = [float(value) for value in values if is_number(value)]
    if len(known) < 2:
        return None
    best = min(known) if lower_is_better(metric) else max(known)
    return values.index(best) if known.count(best) == 1 else None
