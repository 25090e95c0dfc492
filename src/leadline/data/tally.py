"""A tally of one column, gathered batch by batch in bounded memory: what its cells look like, before anyone decides what it is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leadline.data import cells
from leadline.data.cells import pc

MOST_DISTINCT = 1 << 15  # distinct values that are told apart; a column with more is known from its first rows


class Tally:
    """Counts over the cells of one column. covered: rows whose values are in `counts`, all of them unless `overflowed`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = self.missing = self.covered = 0
        self.numbers = self.whole = self.commas = self.codes = self.steps = 0
        self.is_text = self.is_time = self.overflowed = False
        self._counts: pa.Table | None = None
        self._last = np.nan

    def add(self, array: pa.Array) -> None:
        """Count a cleaned batch of the column."""
        present = array.drop_null()
        self.rows += len(array)
        self.missing += array.null_count
        if not len(present):
            return
        self.is_text = self.is_text or pa.types.is_string(array.type)
        self.is_time = self.is_time or pa.types.is_timestamp(array.type)
        values, weights = _counted(present) if not self.overflowed else (present, None)
        if pa.types.is_string(array.type):
            self._add_text(values, weights)
        elif pa.types.is_floating(array.type):
            self.numbers += len(present)
            self.whole += _weigh(pc.equal(values, pc.floor(values)), weights)
        if self.whole == self.present:
            self._add_steps(array)
        if weights is not None:
            self._remember(values, weights)

    @property
    def present(self) -> int:
        """Cells that hold something."""
        return self.rows - self.missing

    @property
    def distinct(self) -> int:
        """Distinct values; for an overflowed column those of the first rows."""
        return 0 if self._counts is None else self._counts.num_rows

    @property
    def values(self) -> pa.Array:
        """The distinct values, most frequent first."""
        return pa.array([], pa.string()) if self._counts is None else self._sorted().column("value").combine_chunks()

    @property
    def weights(self) -> np.ndarray:
        """How often each of `values` stands."""
        return np.zeros(0) if self._counts is None else self._sorted().column("n").to_numpy()

    def _sorted(self) -> pa.Table:
        assert self._counts is not None
        return self._counts.sort_by([("n", "descending"), ("value", "ascending")])

    def _add_text(self, values: pa.Array, weights: pa.Array | None) -> None:
        for field, pattern in (("numbers", cells.NUMBER), ("whole", cells.WHOLE), ("commas", cells.DECIMAL_COMMA), ("codes", cells.CODE)):
            setattr(self, field, getattr(self, field) + _weigh(pc.match_substring_regex(values, pattern), weights))

    def _add_steps(self, array: pa.Array) -> None:
        """Count rows that are one more than the row before: a column of such rows counts rows."""
        numbers = cells.numbers(array).to_numpy(zero_copy_only=False)
        joined = np.concatenate([[self._last], numbers])
        self.steps += int((np.diff(joined) == 1).sum())
        self._last = joined[-1]

    def _remember(self, values: pa.Array, weights: pa.Array) -> None:
        new = pa.table({"value": values, "n": weights})
        if self._counts is not None:
            new = pa.concat_tables([self._counts, new]).group_by("value").aggregate([("n", "sum")]).rename_columns(["value", "n"])
        self._counts = new
        self.covered += int(pc.sum(weights).as_py())
        self.overflowed = new.num_rows > MOST_DISTINCT


def _counted(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The distinct values and how often each stands."""
    counted = pc.value_counts(array)
    return counted.field("values"), counted.field("counts")


def _weigh(mask: pa.Array, weights: pa.Array | None) -> int:
    """How many cells the mask is true for; weights: cells that each entry stands for, one where None."""
    return int(pc.sum(mask if weights is None else pc.if_else(mask, weights, 0)).as_py() or 0)
