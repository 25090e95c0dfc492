"""Cells: one cleaned column of text, numbers or times as Arrow arrays, read the same way for training files and for new rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # its functions are made at import, so no type checker sees them

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?[0-9]+(\.0*)?$"
DECIMAL_COMMA = r"^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$"
CODE = r"^0[0-9]+$"  # "02208" is the name of something: as a number it would lose its zero
EXACT = 2.0**53  # beyond it floats skip whole numbers

_DAYS = {
    "ISO8601": r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    "%Y/%m/%d": r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}",
    "%d.%m.%Y": r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}",
    "%m/%d/%Y": r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}",
    "%d/%m/%Y": r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}",
    "%d-%m-%Y": r"[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}",
    "%d %b %Y": r"[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4}",
}
_TIMES = {"": "", " %H:%M": r" [0-9]{1,2}:[0-9]{2}", " %H:%M:%S": r" [0-9]{1,2}:[0-9]{2}:[0-9]{2}"}
DATE_FORMATS = {
    day + time: f"^{day_text}{time_text}$"
    for day, day_text in _DAYS.items()
    for time, time_text in _TIMES.items()
    if not (day == "ISO8601" and time)
}


def plain(array: Any) -> pa.Array:
    """The column as one of three Arrow types: string, float64, or timestamp in microseconds without zone. NaN and infinity become null."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_boolean(kind):
        return pc.if_else(array, "True", "False")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = pc.cast(array, pa.float64(), safe=False)
        return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pc.cast(array, pa.timestamp("us"), safe=False)
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(array, pa.string())
    return pa.array([None if value is None else as_text(value) for value in array.to_pylist()], pa.string())


def from_values(values: Any) -> pa.Array:
    """`plain` of a pandas column, a list or an array; mixed Python objects become text, one by one."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        import pandas as pd

        array = pa.array([None if np.ndim(value) == 0 and pd.isna(value) else as_text(value) for value in values], pa.string())
    return plain(array)


def as_text(value: Any) -> str:
    """One JSON or Python value as a cell's text: whole floats without ".0", lists and mappings as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (float, np.floating)):
        return number_text(float(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def number_text(value: float) -> str:
    """A number as a label: "1" and not "1.0", and no digit lost otherwise."""
    return str(int(value)) if value == np.floor(value) and abs(value) < EXACT else repr(float(value))


def clean(array: pa.Array, missing: tuple[str, ...]) -> pa.Array:
    """Text without the spaces around it; the texts that mean missing become null. Other types pass."""
    if not pa.types.is_string(array.type):
        return array
    text = pc.utf8_trim_whitespace(array)
    gone = pc.is_in(text, value_set=pa.array([mark.strip() for mark in missing], pa.string()))
    return pc.if_else(gone, pa.scalar(None, pa.string()), text)


def numbers(array: pa.Array, decimal: str | None = None) -> pa.Array:
    """Cleaned cells as float64; what is not a number becomes null. decimal: "," where a comma parts the fraction."""
    if pa.types.is_floating(array.type):
        return array
    if not pa.types.is_string(array.type):
        return pa.nulls(len(array), pa.float64())
    text = array
    if decimal == ",":
        text = pc.if_else(pc.match_substring_regex(text, DECIMAL_COMMA), pc.replace_substring(text, ",", "."), text)
    good = pc.match_substring_regex(text, NUMBER)
    return plain(pc.cast(pc.if_else(good, text, pa.scalar(None, pa.string())), pa.float64()))


def dates(array: pa.Array, form: str | None) -> pa.Array:
    """Cleaned cells as timestamps; what does not follow `form` (a strptime format or "ISO8601") becomes null."""
    if pa.types.is_timestamp(array.type):
        return array
    if form is None or not pa.types.is_string(array.type):
        return pa.nulls(len(array), pa.timestamp("us"))
    import pandas as pd

    good = pc.match_substring_regex(array, DATE_FORMATS[form])
    text = pc.if_else(good, array, pa.scalar(None, pa.string()))
    times = pd.to_datetime(text.to_pandas(), format=form, errors="coerce", utc=form == "ISO8601")
    return plain(pa.array(times, from_pandas=True))


def labels(array: pa.Array, form: str | None = None) -> pa.Array:
    """Cells as the text of categories: numbers by `number_text`, times in ISO form, text as it is.

    form: "." or "," for text that is to be read as numbers where it can be, so that "3", "3.0" and 3 are one category.
    """
    if pa.types.is_string(array.type):
        if form is None:
            return array
        read = numbers(array, form)
        return pc.if_else(read.is_valid(), labels(read), array)
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array, format="%Y-%m-%dT%H:%M:%S")
    distinct = pc.unique(array.drop_null())
    names = pa.array([number_text(value) for value in distinct.to_pylist()], pa.string())
    return pc.take(names, pc.index_in(array, value_set=distinct)) if len(distinct) else pa.nulls(len(array), pa.string())


def in_order(names: list[str]) -> tuple[str, ...]:
    """Labels sorted: by value when all are numbers, else by text."""
    try:
        return tuple(sorted(names, key=lambda name: (float(name), name)))
    except ValueError:
        return tuple(sorted(names))
