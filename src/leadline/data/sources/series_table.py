"""Tables of values over time."""

from __future__ import annotations

import csv
import itertools
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Source
from leadline.record.facts import Kind

if TYPE_CHECKING:
    from leadline.data.series_windows import Windows
    from leadline.data.settings import DataSpec

_HEAD = 1 << 16  # bytes that are looked at
_FEWEST = 20  # rows: fewer tell no rhythm
_FORMS = ("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y")
_EMPTY = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-")


@final
class SeriesTable(Source):
    """Values over time: a table with one column of dates in equal steps, all other columns numbers. Each example is a window of rows.

        date,load,oil                     data.series.window=336 steps to look back on, data.series.horizon=96 to forecast
        2016-07-01 00:00,5.8,30.5         target=COLUMN forecasts that one only; every column is looked at
        2016-07-01 01:00,5.7,27.8         data.series.parts=[8640, 2880, 2880] rows of train, val and test

    The dates' column and step are found and said. Rows out of order are sorted; repeated times, gaps and missing values are named with
    their rows, and windows that hold one are left out (`data.series.fill=last` fills them). Train, val and test follow one another in time
    and share no row; with `data.series.reach_back` the first windows of val and test look back over the border, as published scores do.
    """

    claims: ClassVar[int] = 58
    gives: ClassVar[Kind | None] = "series"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str | Path):
            return None
        path = _single(Path(target))
        rows = _head(path) if path is not None else []
        if path is None or len(rows) < _FEWEST:
            return None
        return _evidence(path.name, rows)

    @classmethod
    def speaks_against(cls, spec: DataSpec) -> str | None:
        return "a target column was named, so rows stand for themselves" if spec.target is not None else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Windows:
        """Read the table and cut it into windows.

        Raises InputError LL001, LL002, LL003 (many rows repeat a time), LL013, LL017, LL020, LL022 (no equal steps), LL027 (a part too
        short), LL030.
        """
        from leadline.data.series_windows import open_series

        return open_series(Path(target), spec)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """Forty days of two hourly columns: a daily wave with a slow drift, and its echo three hours later."""
        import numpy as np

        hours = np.arange(40 * 24)
        draw = np.random.default_rng(0)
        wave = np.sin(2 * np.pi * hours / 24) + 0.002 * hours + draw.normal(0, 0.1, len(hours))
        echo = np.roll(wave, 3) * 2 + draw.normal(0, 0.1, len(hours))
        dates = np.datetime64("2024-01-01T00:00") + hours.astype("timedelta64[h]")
        lines = [f"{str(date).replace('T', ' ')}:00,{a:.4f},{b:.4f}" for date, a, b in zip(dates, wave, echo, strict=True)]
        path = Path(folder) / "waves.csv"
        path.write_text("date,wave,echo\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return path


def _single(path: Path) -> Path | None:
    """The text table that is meant: the file itself, or the only one of a folder without pictures or sounds."""
    from leadline.data.table_files import evidence, form, in_folder

    if path.is_dir() and evidence(path) is not None:
        tables = in_folder(path)
        path = tables[0] if len(tables) == 1 else path
    return path if path.is_file() and path.suffix.lower() != ".gz" and form(path) == "text" else None


def _head(path: Path) -> list[list[str]]:
    """The first whole rows below the header, cells without the spaces around them."""
    with path.open("rb") as file:
        text = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    lines = text.splitlines()[: -1 if len(text) >= _HEAD else None]
    if len(lines) < 2:
        return []
    separator = max(";\t,", key=lines[0].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator) if row]
    return rows[1:] if all(len(row) == len(rows[0]) for row in rows) else []


def _evidence(name: str, rows: list[list[str]]) -> str | None:
    """Why these rows are a series: one column of dates in equal steps, numbers in all others."""
    columns = list(zip(*rows, strict=True))
    if len(columns) < 2:
        return None
    for place, column in enumerate(columns):
        step = _step(column)
        others = [other for number, other in enumerate(columns) if number != place]
        if step is not None and all(_are_numbers(other) for other in others):
            return f"{name} holds numbers and a column of dates in equal steps ({step}); with target=COLUMN it is a plain table"
    return None


def _step(column: tuple[str, ...]) -> str | None:
    """The step of nearly all dates in words, or None."""
    from leadline.data.clock import duration

    times = [_date(cell) for cell in column]
    if any(time is None for time in times):
        return None
    known = [time for time in times if time is not None]
    steps = [(after - before).total_seconds() for before, after in itertools.pairwise(known)]
    common = max(set(steps), key=steps.count)
    is_monthly = all(28 <= step / 86_400 <= 31 for step in steps)
    is_daily = common == 86_400 and all(time.weekday() < 5 for time in known)
    if common > 0 and (is_monthly or is_daily or steps.count(common) >= 0.9 * len(steps)):
        return "a month" if is_monthly else f"one {duration(common)}"
    return None


def _date(cell: str) -> datetime | None:
    if not any(sign in cell for sign in "-/."):
        return None
    try:
        return datetime.fromisoformat(cell.replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        pass
    for form in _FORMS:
        for time in ("", " %H:%M", " %H:%M:%S"):
            try:
                return datetime.strptime(cell, form + time)
            except ValueError:
                continue
    return None


def _are_numbers(column: tuple[str, ...]) -> bool:
    good = sum(_is_number(cell) for cell in column if cell not in _EMPTY)
    return good > 0 and good >= 0.95 * sum(cell not in _EMPTY for cell in column)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
