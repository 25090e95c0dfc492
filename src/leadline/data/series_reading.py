"""From a file to a series: the column of dates found, rows in order of time, values on a regular clock, and all that is amiss named.

Axes: T steps of the clock, C columns of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.data import cells
from leadline.data.clock import Clock, find_clock
from leadline.data.columns import MOSTLY, date_format, look_at, no_such_column
from leadline.data.row_names import counted
from leadline.data.settings import DataSpec
from leadline.data.table_files import table_files
from leadline.data.table_reading import read, refuse_malformed
from leadline.data.tally import Tally
from leadline.record.facts import Column, Guess, Problem

SHOWN = 20


@dataclass(frozen=True)
class Series:
    """values: (T, C) float64, NaN where a step or a cell is missing; times: (T,) datetime64[s] of the clock's strokes.

    decimal: "," or None for each column. excluded: (row, reason).
    """

    time: str
    names: tuple[str, ...]
    values: np.ndarray
    times: np.ndarray
    clock: Clock
    columns: tuple[Column, ...]
    problems: tuple[Problem, ...]
    guesses: tuple[Guess, ...]
    excluded: tuple[tuple[str, str], ...] = ()


def read_series(path: Path, spec: DataSpec) -> Series:
    """Read one table of values over time.

    Raises InputError LL001, LL002, LL003 (many rows repeat a time), LL013, LL017, LL020 (text among numbers), LL022 (no clock in them).
    """
    files, _ = table_files(path)
    reading = read(files[0].path, spec)
    batches = list(reading.batches())
    table = pa.Table.from_batches(batches) if batches else None
    if table is None or not table.num_rows:
        raise InputError("LL002", f"{path.name} holds no rows", where=str(path), help="name a file that holds rows")
    refuse_malformed(reading, table.num_rows, max_excluded=spec.max_excluded)
    tallies = {name: _tallied(name, table[name].combine_chunks()) for name in table.column_names}
    time, form, guesses = _time_column(tallies, spec, where=str(path))
    moments = _moments(table[time].combine_chunks(), form)
    names, columns = _value_columns(tallies, spec, time=time, where=str(path))
    values = np.stack([_numbers(table[name].combine_chunks(), tallies[name], where=str(path)) for name in names], axis=1)
    return _on_clock(time, names, moments, values, columns=columns, guesses=(*reading.guesses, *guesses), spec=spec, where=str(path))


def _tallied(name: str, array: pa.Array) -> Tally:
    tally = Tally(name)
    tally.add(array)
    return tally


def _time_column(tallies: dict[str, Tally], spec: DataSpec, *, where: str) -> tuple[str, str | None, tuple[Guess, ...]]:
    """The column of dates and its format: the one the user named, or the first whose cells are dates."""
    asked = spec.series.time or spec.split.time
    if asked is not None and asked not in tallies:
        raise no_such_column(asked, list(tallies), key="data.series.time", where=where)
    for name in tallies if asked is None else (asked,):
        form = date_format(tallies[name])
        if form is not None or tallies[name].is_time:
            guess = Guess(f"'{name}' is the time", f"dates, read as {form}" if form else "times", "data.series.time=COLUMN")
            return name, form, () if asked else (guess,)
    what = "no column" if asked is None else f"'{asked}' does not"
    raise InputError(
        "LL022", f"{what} hold{'s' if asked is None else ''} dates to order the rows by", where=where, help="data.series.time=COLUMN"
    )


def _moments(array: pa.Array, form: str | None) -> np.ndarray:
    """(n,) datetime64[us], NaT where a cell is no date."""
    return cells.dates(array, form).to_numpy(zero_copy_only=False).astype("datetime64[us]")


def _value_columns(tallies: dict[str, Tally], spec: DataSpec, *, time: str, where: str) -> tuple[tuple[str, ...], tuple[Column, ...]]:
    """The columns of numbers, which are forecast from each other, and what is said of every column."""
    for name in (*spec.ignore, *([str(spec.target)] if isinstance(spec.target, str) else [])):
        if name not in tallies:
            raise no_such_column(name, list(tallies), key="data.ignore" if name in spec.ignore else "data.target", where=where)
    columns = []
    for name, tally in tallies.items():
        seen = look_at(tally)
        example = str(cells.labels(tally.values[:1])[0].as_py())[:60] if len(tally.values) else None
        if name == time:
            kind, used, reason = "date", True, "the time of each row"
        elif name in spec.ignore:
            kind, used, reason = "number", False, "left out by data.ignore"
        elif seen.number_share >= MOSTLY and tally.present:
            kind, used, reason = "number", True, "values over time"
        else:
            kind, used, reason = ("category" if tally.present else "empty"), False, "holds no numbers"
        columns.append(Column(name, kind, missing=tally.missing, unique=tally.distinct, example=example, used=used, reason=reason))
    names = tuple(column.name for column in columns if column.used and column.name != time)
    if not names:
        raise InputError("LL020", "no column beside the time holds numbers", where=where, help="check data.separator and data.missing")
    if isinstance(spec.target, str) and spec.target not in names:
        raise InputError("LL020", f"the target '{spec.target}' holds no numbers", where=where, help=f"target={names[0]}")
    return names, tuple(columns)


def _numbers(array: pa.Array, tally: Tally, *, where: str) -> np.ndarray:
    """(n,) float64, NaN where missing. Raises InputError LL020 that names the rows that hold text."""
    read_as = cells.numbers(array, look_at(tally).decimal)
    text = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False) & ~read_as.is_valid().to_numpy(zero_copy_only=False))
    if len(text):
        shown = ", ".join(f"row {row + 1}: '{array[int(row)].as_py()}'" for row in text[:3])
        raise InputError(
            "LL020",
            f"column '{tally.name}' holds text in {counted(len(text), 'row')} among its numbers: {shown}",
            where=where,
            help=f"repair them, say that they mean missing (data.missing), or  data.ignore=[{tally.name}]",
        )
    return read_as.to_numpy(zero_copy_only=False).astype(np.float64)


def _on_clock(
    time: str,
    names: tuple[str, ...],
    moments: np.ndarray,
    values: np.ndarray,
    *,
    columns: tuple[Column, ...],
    guesses: tuple[Guess, ...],
    spec: DataSpec,
    where: str,
) -> Series:
    """Rows sorted, repeated times left out, and the rest put on the strokes of a clock."""
    order, problems, excluded = _in_order(moments, time=time, spec=spec, where=where)
    times = moments[order]
    clock = find_clock(times)
    if clock is None:
        gaps = np.diff(times).astype("timedelta64[s]").astype(np.int64)
        shown = f"from {gaps.min():,} to {gaps.max():,} seconds" if len(gaps) else "only one row"
        raise InputError(
            "LL022",
            f"the steps between the times in '{time}' are not alike: {shown}",
            where=where,
            help="bring the rows to equal steps first, or read it as a plain table: data.kind=table",
        )
    if clock.off.any():
        rows = order[clock.off]
        problems.append(_rows("off_clock", "excluded", rows, f"rows stand between two steps of one {clock.word}: left out"))
        excluded += [(f"row {row + 1}", "stands between two steps") for row in rows.tolist()]
        order, times = order[~clock.off], times[~clock.off]
    places = clock.places[~clock.off]
    problems += _gaps(order, times, places, word=clock.word)
    grid = np.full((int(places[-1]) + 1, len(names)), np.nan)
    grid[places] = values[order]
    problems += _missing(values, names)
    guess = Guess(f"one row every {clock.word}", f"most steps between rows of '{time}'", "data.series.time=COLUMN")
    return Series(time, names, grid, _strokes(times, places), clock, columns, tuple(problems), (*guesses, guess), tuple(excluded))


def _in_order(moments: np.ndarray, *, time: str, spec: DataSpec, where: str) -> tuple[np.ndarray, list[Problem], list[tuple[str, str]]]:
    """(m,) row numbers in order of time, each time once; what was out of order, repeated or no date is said."""
    problems: list[Problem] = []
    undated = np.flatnonzero(np.isnat(moments))
    dated = np.flatnonzero(~np.isnat(moments))
    back = dated[1:][np.diff(moments[dated]).astype(np.int64) < 0]
    order = dated[np.argsort(moments[dated], kind="stable")]
    again = np.concatenate([[False], np.diff(moments[order]).astype(np.int64) == 0])
    repeated = np.sort(order[again])
    if len(back):
        problems.append(_rows("unsorted_rows", "odd", back, "rows come after a later one: all were sorted by time"))
    gone = len(undated) + len(repeated)
    if gone > spec.max_excluded * len(moments):
        rows = np.concatenate([repeated, undated])
        what = f"repeat a time in '{time}'" if len(repeated) else f"hold no date in '{time}'"
        shown = ", ".join(str(row + 1) for row in rows[:5].tolist())
        raise InputError(
            "LL003",
            f"{gone:,} of {len(moments):,} rows {what}: rows {shown}",
            where=where,
            help="several series one below the other belong side by side, a column each; or leave rows out: data.max_excluded=SHARE",
        )
    if len(repeated):
        problems.append(_rows("repeated_times", "excluded", repeated, "rows repeat the time of an earlier one: left out"))
    if len(undated):
        problems.append(_rows("undated_rows", "excluded", undated, "rows hold no date: left out"))
    excluded = [(f"row {row + 1}", "repeats a time") for row in repeated.tolist()]
    excluded += [(f"row {row + 1}", "holds no date") for row in undated.tolist()]
    return order[~again], problems, excluded


def _gaps(order: np.ndarray, times: np.ndarray, places: np.ndarray, *, word: str) -> list[Problem]:
    jumps = np.flatnonzero(np.diff(places) > 1)
    if not len(jumps):
        return []
    items = tuple(
        f"row {order[jump + 1] + 1}: {places[jump + 1] - places[jump] - 1:,} missing after {_said(times[jump])}"
        for jump in jumps[:SHOWN].tolist()
    )
    lost = int((np.diff(places)[jumps] - 1).sum())
    text = f"{counted(len(jumps), 'gap')} in the times, {counted(lost, 'step')} of one {word} missing (data.series.fill=last fills them)"
    return [Problem("gaps", "suspect", len(jumps), items, text)]


def _missing(values: np.ndarray, names: tuple[str, ...]) -> list[Problem]:
    empty = np.isnan(values)
    if not empty.any():
        return []
    rows = np.flatnonzero(empty.any(axis=1))
    items = tuple(f"row {row + 1}: {', '.join(np.array(names)[empty[row]])}" for row in rows[:SHOWN].tolist())
    return [Problem("missing_values", "odd", len(rows), items, f"{counted(len(rows), 'row')} lack a value")]


def _rows(kind: str, severity: str, rows: np.ndarray, text: str) -> Problem:
    assert severity in ("excluded", "odd")
    return Problem(kind, severity, len(rows), tuple(f"row {row + 1}" for row in rows[:SHOWN].tolist()), f"{len(rows):,} {text}")


def _strokes(times: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(T,) the time of each stroke: known ones as they are, others by straight lines between them."""
    every = np.arange(int(places[-1]) + 1)
    since = np.interp(every, places, (times - times[0]).astype(np.int64).astype(np.float64))
    return (times[0] + np.round(since).astype(np.int64).astype("timedelta64[us]")).astype("datetime64[s]")


def _said(time: Any) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")
