"""A series as examples: each is a window to look back on and the horizon behind it; sides follow one another in time and share no row.

Axes: N windows, L = window + horizon steps, C columns, T steps of the series.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data.row_names import counted
from leadline.data.series_reading import Series, read_series
from leadline.data.settings import DataSpec
from leadline.data.source import Examples
from leadline.record.facts import Facts, Guess, Problem, SeriesFacts

SEASONS = 14  # a window of two weeks of hours: two weeks hold a week's rhythm twice
LEAST, MOST = 32, 512  # steps of a window that is chosen here; more costs memory, less tells little
ALONE = 8  # steps to forecast where no season is known


@dataclass(frozen=True, eq=False)
class Windows(Examples):
    """Windows of one series. starts: (N,) first step of each; length: window + horizon."""

    facts: Facts
    names: Sequence[str]
    targets: np.ndarray | None
    given_split: np.ndarray | None
    series: Series
    starts: np.ndarray
    length: int
    left_out: tuple[tuple[str, str], ...] = ()

    def fetch(self, indices: np.ndarray) -> np.ndarray:
        """(n, L, C) float64 in the series' own units."""
        return self.series.values[self.starts[indices][:, None] + np.arange(self.length)]

    def rows_of(self, indices: np.ndarray) -> np.ndarray:
        """(m, C) the values of all steps that stand in any of these windows, each step once."""
        covered = np.zeros(len(self.series.values) + 1, np.int64)
        np.add.at(covered, self.starts[indices], 1)
        np.add.at(covered, self.starts[indices] + self.length, -1)
        return self.series.values[np.cumsum(covered)[:-1] > 0]

    def content_hashes(self) -> np.ndarray:
        return self._hashes

    @cached_property
    def _hashes(self) -> np.ndarray:
        values = np.ascontiguousarray(self.series.values)
        digests = (hashlib.blake2b(values[start : start + self.length].data, digest_size=8).digest() for start in self.starts.tolist())
        return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)

    def column(self, name: str) -> np.ndarray:
        """(N,) the time at which the forecast begins, under the name of the time column."""
        assert self.facts.series is not None
        if name != self.series.time:
            text = f"windows have no column '{name}' of their own, only the time '{self.series.time}' at which the forecast begins"
            raise InputError("LL017", text, where=self.facts.name, help="leave it out")
        return self.series.times[self.starts + self.facts.series.window].astype("datetime64[us]")

    def excluded(self) -> Sequence[tuple[str, str]]:
        return self.left_out


def open_series(path: Path, spec: DataSpec) -> Windows:
    """Windows over a table of values over time; see `SeriesTable` for its forms and errors."""
    _refuse_other_cuts(spec)
    series = read_series(path, spec)
    if spec.series.fill == "last":
        series = filled(series)
    parts = _parts(len(series.values), spec, where=str(path))
    window, horizon, guesses = _lengths(series, parts, spec)
    starts, sides, problems = _cut(series, parts, window, horizon, spec=spec, where=str(path))
    begin = series.times[starts + window]
    names = [str(time).replace("T", " ") for time in begin]
    about = SeriesFacts(
        series.time,
        series.clock.step_s,
        str(series.times[0]).replace("T", " "),
        str(series.times[-1]).replace("T", " "),
        len(series.values),
        series.names,
        window,
        horizon,
        series.clock.season,
    )
    facts = Facts(
        "series",
        path.name,
        len(starts),
        target=None if spec.target is None else str(spec.target),
        columns=series.columns,
        series=about,
        given_split={side: int((sides == side).sum()) for side in ("train", "val", "test") if (sides == side).any()},
        problems=(*series.problems, *problems),
        guesses=(*series.guesses, *guesses),
    )
    return Windows(facts, names, None, sides, series, starts, window + horizon, series.excluded)


def _refuse_other_cuts(spec: DataSpec) -> None:
    """InputError LL030: windows overlap, so that any cut but one by time would put the same rows on two sides."""
    split = spec.split
    for key, said in (
        ("given=false", not split.given),
        (f"by={split.by}", split.by is not None),
        (f"own={split.own}", split.own is not None),
    ):
        if said:
            raise InputError(
                "LL030",
                f"data.split.{key}: windows of a series overlap, so only parts that follow one another in time share no row",
                where="data.split",
                help="data.split.val and data.split.test set their shares, data.series.parts their rows",
            )


def filled(series: Series) -> Series:
    """The last known value in every missing cell; before the first one nothing is known, and it stays missing."""
    values = series.values
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))[:, None]), axis=0)
    filled = np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)
    count = int((np.isnan(values) & ~np.isnan(filled)).sum())
    if not count:
        return series
    told = Problem("filled_values", "odd", count, (), f"{counted(count, 'missing value')} filled with the last known one")
    return Series(**{**vars(series), "values": filled, "problems": (*series.problems, told)})


def _parts(steps: int, spec: DataSpec, *, where: str) -> tuple[int, int, int]:
    """Steps of train, val and test."""
    if spec.series.parts is None:
        val, test = round(steps * spec.split.val), round(steps * spec.split.test)
        return steps - val - test, val, test
    if sum(spec.series.parts) > steps or spec.series.parts[0] < 1:
        raise InputError(
            "LL027",
            f"data.series.parts = {list(spec.series.parts)} asks for {sum(spec.series.parts):,} steps, and there are {steps:,}",
            where=f"{where}, data.series.parts",
            help="rows of train, val and test, from the first row on",
        )
    return spec.series.parts


def _lengths(series: Series, parts: tuple[int, int, int], spec: DataSpec) -> tuple[int, int, tuple[Guess, ...]]:
    """Window and horizon: the user's, or a season ahead and several back, as far as the smallest part has room for many of them."""
    season, guesses, room = series.clock.season, [], min(part for part in parts if part)
    horizon = spec.series.horizon
    if horizon is None:
        horizon = max(1, min(season if season > 1 else ALONE, room // 4))
        why = f"a season of {season} steps" if horizon == season > 1 else f"parts of {room:,} steps and more, without a season that fits"
        guesses.append(Guess(f"{horizon} steps are forecast", why, "data.series.horizon=N"))
    window = spec.series.window
    if window is None:
        longest = parts[0] // 4 if spec.series.reach_back else (room - horizon) // 2
        window = max(2, min(max(LEAST, SEASONS * season), MOST, longest))
        guesses.append(Guess(f"each forecast looks back on {window} steps", f"of one {series.clock.word} each", "data.series.window=N"))
    return window, horizon, tuple(guesses)


def _cut(
    series: Series, parts: tuple[int, int, int], window: int, horizon: int, *, spec: DataSpec, where: str
) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """First steps and sides of all whole windows; those that hold a missing value are counted and said."""
    broken = np.concatenate([[0], np.cumsum(np.isnan(series.values).any(axis=1))])
    edges = np.cumsum([0, *parts])
    starts, sides, lost = [], [], 0
    for number, side in enumerate(("train", "val", "test")):
        if not parts[number]:
            continue
        first = max(0, int(edges[number]) - (window if spec.series.reach_back and number else 0))
        candidates = np.arange(first, int(edges[number + 1]) - window - horizon + 1, spec.series.stride)
        whole = candidates[broken[candidates + window + horizon] == broken[candidates]] if len(candidates) else candidates
        if not len(whole):
            raise _no_window(side, parts[number], window, horizon, had=len(candidates), where=where)
        lost += len(candidates) - len(whole)
        starts.append(whole)
        sides += [side] * len(whole)
    problems = []
    if lost:
        text = f"{counted(lost, 'window')} left out for a missing step or value (data.series.fill=last fills them)"
        problems.append(Problem("incomplete_windows", "excluded", lost, (), text))
    return np.concatenate(starts), np.array(sides), problems


def _no_window(side: str, steps: int, window: int, horizon: int, *, had: int, where: str) -> InputError:
    if had:
        return InputError(
            "LL027",
            f"every one of the {had:,} windows of the {side} part holds a missing step or value",
            where=where,
            help="data.series.fill=last, or shorter windows: data.series.window=N data.series.horizon=N",
        )
    return InputError(
        "LL027",
        f"the {side} part has {steps:,} steps, and one example takes {window} + {horizon}",
        where=where,
        help="data.series.window=N data.series.horizon=N, or a larger part: data.split.val=SHARE data.split.test=SHARE",
    )
