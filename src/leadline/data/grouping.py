"""What must stay together or in order: groups named by a column, times, and the joining of groups with twins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from leadline.base.errors import InputError
from leadline.record.facts import Problem

if TYPE_CHECKING:
    import pandas as pd

    from leadline.data.source import Examples

SHOWN = 20  # names listed per problem
CHAINED = 0.25  # a joined unit above this share of the rows leaves too little to choose from


def groups_of(examples: Examples, name: str, problems: list[Problem]) -> np.ndarray:
    """(N,) int64 group of each example by a column's values. A row without value is a group of its own, and that is told in `problems`."""
    import pandas as pd

    codes = pd.factorize(np.asarray(examples.column(name)))[0].astype(np.int64)
    without = np.flatnonzero(codes < 0)
    if len(without):
        codes[without] = codes.max() + 1 + np.arange(len(without))
        text = f"rows without a value in the group column '{name}': each stands as a group of its own"
        problems.append(Problem("group_missing", "odd", len(without), named(examples, without), text))
    return codes


def join(same: np.ndarray | None, groups: np.ndarray | None, *, size: int) -> tuple[np.ndarray, bool]:
    """(size,) int64 units that keep both twins and groups together, and whether twins had to be left out of it.

    Twins link groups to chains; where a chain would hold more than a quarter of the rows, and no group by itself does, the groups win.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if same is None or groups is None:
        one = groups if same is None else same
        return (np.arange(size) if one is None else one), False
    _, left = np.unique(same, return_inverse=True)
    _, right = np.unique(groups, return_inverse=True)
    offset = int(left.max()) + 1
    total = offset + int(right.max()) + 1
    links = coo_array((np.ones(size, np.int8), (left, right + offset)), shape=(total, total))
    units = connected_components(links, directed=False)[1][left].astype(np.int64)
    largest = np.bincount(units).max() / size
    is_chained = largest > CHAINED and np.bincount(right).max() / size <= CHAINED
    return (groups if is_chained else units), is_chained


def by_time(times: np.ndarray, shares: tuple[float, float, float]) -> np.ndarray:
    """(n,) int8 side of each row: the oldest train, the newest test; rows of one moment stand together.

    Raises InputError LL027 when there are fewer moments than sides.
    """
    used = sum(share > 0 for share in shares)
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) < used:
        raise InputError(
            "LL027",
            f"the time column holds {len(moments)} different value{'s' * (len(moments) > 1)}, and {used} sides are to be cut by it",
            where="data.split.time",
            help="choose a finer column, or data.split.test=0",
        )
    until = np.cumsum(counts)  # rows up to and with each moment
    side_of_moment = np.zeros(len(moments), np.int8)
    last, left, wanted = len(moments), used - 1, float(len(times))
    for side in (2, 1):
        if shares[side] > 0:
            wanted -= len(times) * shares[side]
            first = int(np.abs(until - wanted).argmin()) + 1
            first = min(max(first, left), last - 1)
            side_of_moment[first:last] = side
            last, left = first, left - 1
    return side_of_moment[np.searchsorted(moments, times)]


def times_of(examples: Examples, name: str) -> np.ndarray:
    """(N,) sortable numbers of a column of dates or numbers. Raises InputError LL017, or LL022 naming the rows that cannot be ordered."""
    import pandas as pd

    values = pd.Series(np.asarray(examples.column(name)))
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values)):
        values = _parsed(values)
    bad = np.flatnonzero(values.isna())
    if len(bad):
        first = f"{', '.join(named(examples, bad)[:3])}{', ...' if len(bad) > 3 else ''}"
        raise InputError(
            "LL022",
            f"data.split.time = {name!r}: {len(bad):,} rows hold no date or number to order them by",
            where=f"rows {first}",
            help="fill or remove these rows, or choose another column",
        )
    return values.to_numpy().astype("datetime64[us]").astype(np.int64) if values.dtype.kind == "M" else values.to_numpy(np.float64)


def _parsed(values: pd.Series) -> pd.Series:
    """Texts as numbers, or as dates month first, or as dates day first, whichever reads most of them; what is not read is missing."""
    import pandas as pd

    readings = [pd.Series(pd.to_numeric(values, errors="coerce"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pandas says when it reads text by text, and when the day comes first
        for is_day_first in (False, True):
            dates = pd.to_datetime(values, errors="coerce", dayfirst=is_day_first, utc=True)
            readings.append(pd.Series(dates).dt.tz_localize(None))
    return max(readings, key=lambda reading: int(reading.notna().sum()))


def crossing(units: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(n,) bool: the example's unit stands on more than one side; examples left out (side -1) do not count."""
    _, codes = np.unique(units, return_inverse=True)
    stands = np.zeros((int(codes.max()) + 1, 3), bool)
    inside = side >= 0
    stands[codes[inside], side[inside]] = True
    return (stands.sum(1) > 1)[codes] & inside


def named(examples: Examples, rows: np.ndarray) -> tuple[str, ...]:
    """The names of the first examples among `rows`, as a Problem lists them."""
    return tuple(str(examples.names[int(row)]) for row in rows[:SHOWN])
