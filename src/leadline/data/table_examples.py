"""Table rows as examples: numbers, times and text by column, fetched in any order from memory or from a mapped file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.core.util.hashing import hash_pandas_object

from leadline.data.columns import no_such_column
from leadline.data.source import Examples
from leadline.data.spool import Spool
from leadline.record.facts import Facts


class TableExamples(Examples):
    """Rows 0..N-1. `fetch` gives a frame of all columns but the target: float64, datetime64 or text by facts, missing as NaN.

    The frame's index is the number of the example.
    """

    def __init__(
        self,
        spool: Spool,
        facts: Facts,
        *,
        names: Sequence[str],
        targets: np.ndarray | None,
        given_split: np.ndarray | None,
        left_out: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.facts = facts
        self.names = names
        self.targets = targets
        self.given_split = given_split
        self._spool = spool
        self._left_out = left_out

    def fetch(self, indices: np.ndarray) -> pd.DataFrame:
        indices = np.asarray(indices, dtype=np.int64)
        frame = self._spool.take(indices).to_pandas()
        frame.index = pd.Index(indices)
        return frame

    def content_hashes(self) -> np.ndarray:
        used = [column.name for column in self.facts.columns if column.used and column.kind != "target"]
        if not used:
            used = [column.name for column in self.facts.columns if column.kind != "target"]
        parts = [_hashes(batch.select(used)) for batch in self._spool.batches()]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)

    def column(self, name: str) -> np.ndarray:
        if name == self.facts.target and self.targets is not None:
            return self.targets
        names = [column.name for column in self.facts.columns]
        if name not in names:
            raise no_such_column(name, names, key="data", where=self.facts.name)
        return np.concatenate([_values(batch.column(name)) for batch in self._spool.batches()])

    def excluded(self) -> Sequence[tuple[str, str]]:
        return self._left_out


def _hashes(batch: pa.RecordBatch) -> np.ndarray:
    """(rows,) uint64, by pandas' row hash with its fixed key."""
    if not batch.num_columns:
        return np.zeros(batch.num_rows, dtype=np.uint64)
    return hash_pandas_object(batch.to_pandas(), index=False).to_numpy().astype(np.uint64)


def _values(column: Any) -> np.ndarray:
    """(rows,) float64, datetime64 or str; missing text is ""."""
    if pa.types.is_string(column.type):
        return np.asarray(["" if value is None else value for value in column.to_pylist()], dtype=np.str_)
    return column.to_numpy(zero_copy_only=False)
