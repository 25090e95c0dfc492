"""A spool: table rows in Arrow batches, kept in memory or, when they are too many, in a file that is mapped and given back page by page."""

from __future__ import annotations

import mmap
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from leadline.record.files import storing

RELEASE_BYTES = 16 << 20  # mapped bytes that may be touched before their pages are handed back


class Spool:
    """Rows 0..N-1 in record batches of one schema: first `add`, then `close`, then `batches` and `take`.

    in_file: keep them in a temporary file, which goes when the spool goes. A full disk is LeadlineError LL008.
    """

    def __init__(self, *, in_file: bool) -> None:
        self.in_file = in_file
        self.num_rows = 0
        self._batches: list[pa.RecordBatch] = []
        self._ends: list[int] = []
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._file: pa.ipc.RecordBatchFileReader | None = None
        self._map: mmap.mmap | None = None
        self._touched = 0
        self._path = Path()

    def add(self, batch: pa.RecordBatch) -> None:
        """Append a batch; empty ones are left out."""
        if not batch.num_rows:
            return
        self.num_rows += batch.num_rows
        self._ends.append(self.num_rows)
        if not self.in_file:
            self._batches.append(batch)
            return
        if self._writer is None:
            folder = tempfile.mkdtemp(prefix="leadline-table-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._path = Path(folder) / "rows.arrow"
            with storing(self._path):
                self._writer = pa.ipc.new_file(str(self._path), batch.schema)
        with storing(self._path):
            self._writer.write_batch(batch)

    def close(self) -> Spool:
        """End the adding; the rows can be read from now on."""
        if self._writer is not None:
            with storing(self._path):
                self._writer.close()
            with self._path.open("rb") as stream:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            self._file = pa.ipc.open_file(pa.py_buffer(self._map))
        return self

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches in order. One taken from a file is valid until the next."""
        for place in range(len(self._ends)):
            yield self._batch(place)

    def take(self, indices: np.ndarray) -> pa.Table:
        """The rows of those numbers, in that order, copied."""
        if not self._ends:
            raise IndexError("the spool holds no rows")
        ends = np.asarray(self._ends)
        place_of = np.searchsorted(ends, indices, side="right")
        parts = []
        for place in np.unique(place_of):
            start = ends[place - 1] if place else 0
            local = indices[place_of == place] - start
            parts.append(pa.Table.from_batches([self._batch(int(place)).take(pa.array(local))]))
        if not parts:
            return pa.Table.from_batches([self._batch(0).slice(0, 0)])
        table = pa.concat_tables(parts)
        order = np.argsort(np.argsort(place_of, kind="stable"), kind="stable")
        if not np.array_equal(order, np.arange(len(order))):
            table = table.combine_chunks().take(pa.array(order))
        return table

    def _batch(self, place: int) -> pa.RecordBatch:
        if self._file is None:
            return self._batches[place]
        batch = self._file.get_batch(place)
        self._touched += batch.nbytes
        if self._touched > RELEASE_BYTES and self._map is not None and sys.platform != "win32":
            self._map.madvise(mmap.MADV_DONTNEED)  # the pages stay in the system's cache, but no longer count as ours
            self._touched = 0
        return batch
