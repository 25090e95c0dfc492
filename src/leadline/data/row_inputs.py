"""What one input of the network is made of: a part of one table column, taken from cells of any type, then scaled or coded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.data import cells
from leadline.data.cells import pc
from leadline.data.number_scaling import Scaling

Part = Literal["value", "missing", "given", "year", "month", "weekday", "hour", "days"]
CALENDAR: tuple[Part, ...] = ("year", "month", "weekday", "hour", "days")
EPOCH = np.datetime64("1970-01-01T00:00:00", "us")
DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")

_CALENDAR: dict[str, Callable[[pa.Array], pa.Array]] = {
    "year": pc.year,
    "month": pc.month,
    "weekday": pc.day_of_week,
    "hour": pc.hour,
}


@dataclass(frozen=True)
class NumberInput:
    """One number input. kind: of the column ("number", "date", "text"); format: decimal comma or date format, as facts have it."""

    column: str
    part: Part
    kind: Literal["number", "date", "text"]
    scaling: Scaling
    format: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return {"column": self.column, "part": self.part, "kind": self.kind, "format": self.format, "scaling": self.scaling.to_dict()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> NumberInput:
        """What `to_dict` wrote."""
        return cls(fields["column"], fields["part"], fields["kind"], Scaling.from_dict(fields["scaling"]), fields["format"])


@dataclass(frozen=True)
class CategoryInput:
    """One category input: code 1..len(values) by place in values, 0 for missing or unseen. format: "." or "," for numbers."""

    column: str
    values: tuple[str, ...]
    format: str | None = None

    def codes(self, labels: pa.Array) -> np.ndarray:
        """(N,) int64 of (N,) label texts."""
        found = pc.index_in(labels, value_set=pa.array(self.values, pa.string()))
        return pc.add(pc.fill_null(found, -1), 1).to_numpy(zero_copy_only=False).astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return {"column": self.column, "values": list(self.values), "format": self.format}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> CategoryInput:
        """What `to_dict` wrote."""
        return cls(fields["column"], tuple(fields["values"]), fields["format"])


def number_cells(frame: pd.DataFrame, column: str, *, missing: tuple[str, ...], decimal: str | None) -> np.ndarray:
    """(N,) float64 of a column, NaN where missing. Raises InputError LL020 that names row and value of text."""
    array = cells.clean(cells.from_values(frame[column]), missing)
    numbers = cells.numbers(array, decimal)
    _refuse_unread(frame, column, array=array, read=numbers, wanted="numbers")
    return numbers.to_numpy(zero_copy_only=False)


def date_cells(frame: pd.DataFrame, column: str, *, missing: tuple[str, ...], form: str | None) -> pa.Array:
    """(N,) timestamps of a column. Raises InputError LL020 for cells that are no date in the training format."""
    array = cells.clean(cells.from_values(frame[column]), missing)
    times = cells.dates(array, form or "ISO8601")
    _refuse_unread(frame, column, array=array, read=times, wanted=f"dates ({form or 'ISO8601'})")
    return times


def label_cells(frame: pd.DataFrame, column: str, *, missing: tuple[str, ...], form: str | None) -> pa.Array:
    """(N,) category texts of a column; where the training column held numbers, they have one spelling."""
    return cells.labels(cells.clean(cells.from_values(frame[column]), missing), form)


def is_given(frame: pd.DataFrame, column: str, *, missing: tuple[str, ...]) -> np.ndarray:
    """(N,) bool: the cell holds something."""
    return cells.clean(cells.from_values(frame[column]), missing).is_valid().to_numpy(zero_copy_only=False)


def calendar(times: pa.Array, part: Part) -> np.ndarray:
    """(N,) float64, NaN where missing: year, month 1-12, weekday 0-6 from Monday, hour 0-23, or days since 1970."""
    if part == "days":
        micro = times.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        gone = np.isnat(micro)
        return np.where(gone, np.nan, (np.where(gone, EPOCH, micro) - EPOCH).astype(np.float64) * DAY**-1)
    return pc.cast(_CALENDAR[part](times), pa.float64()).to_numpy(zero_copy_only=False)


def _refuse_unread(frame: pd.DataFrame, column: str, *, array: pa.Array, read: pa.Array, wanted: str) -> None:
    if read.null_count <= array.null_count:
        return
    odd = np.flatnonzero(pc.and_(array.is_valid(), read.is_null()).to_numpy(zero_copy_only=False))
    shown = ", ".join(f"{cells.labels(array)[place].as_py()!r} in row {frame.index[place]}" for place in odd[:3].tolist())
    raise InputError(
        "LL020",
        f"column '{column}' held {wanted} in training, and holds {shown}" + (f" and {len(odd) - 3} more" if len(odd) > 3 else ""),
        where=f"column '{column}'",
        help="correct the cells, or leave them empty where the value is not known",
    )
