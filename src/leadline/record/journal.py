"""The journal: metrics.jsonl, one JSON object a line, append-only, and cut back to the checkpoint when a run goes on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from weakref import finalize

import orjson

from leadline.base.errors import LeadlineError
from leadline.record.files import append_all, storing, sync

NOT_FINITE = "not_finite"
"""Key of a row that holds what JSON cannot: {"loss": null, "not_finite": {"loss": "nan"}}; `read` puts the numbers back."""


class Journal:
    """Rows of a run in the order they happened. Reading needs no lock; writing is for the process that took the run.

    A kill in the midst of a write leaves a torn last line: reading passes over it, the next write or cut removes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._close: Callable[[], object] = _nothing

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows in one write; plain or numpy numbers, text, and dicts of them. NaN and infinities are kept, said in `not_finite`.

        Raises LeadlineError LL008 when the disk is full; then none of the rows is in the file.
        """
        lines = b"".join(orjson.dumps(_sayable(row), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY) for row in rows)
        with storing(self.path):
            append_all(self._open(), lines)

    def offset(self) -> int:
        """Bytes written so far, after they have reached the disk: what a checkpoint keeps."""
        with storing(self.path):
            sync(self._open())
            return os.fstat(self._descriptor).st_size

    def cut(self, offset: int) -> None:
        """Forget all rows after `offset`, which `offset()` gave when the checkpoint was saved.

        Raises LeadlineError LL038 when the file is shorter than that, or `offset` is not the end of a line.
        """
        descriptor = self._open()
        size = os.fstat(descriptor).st_size
        if offset > size or (offset and _byte_before(descriptor, offset) != b"\n"):
            raise LeadlineError(
                "LL038",
                f"{self.path.name} has {size} bytes and does not go with the checkpoint, which was saved at byte {offset}",
                where=str(self.path),
                help="the file was changed by hand; put back the copy that goes with the run, or start a new one",
            )
        with storing(self.path):
            os.ftruncate(descriptor, offset)
            sync(descriptor)

    def read(self) -> list[dict[str, Any]]:
        """All whole rows. Raises LeadlineError LL011 for a damaged line, with its number."""
        return [row for row, _ in self.since(0)]

    def since(self, offset: int) -> Iterator[tuple[dict[str, Any], int]]:
        """Whole rows from byte `offset` on, each with the offset after it; a torn last line is not given."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                yield self._row(line, offset), offset

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        self._close()
        self._descriptor = -1

    def _open(self) -> int:
        if self._descriptor < 0:
            with storing(self.path):
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
                self._close = finalize(self, os.close, self._descriptor)
                _drop_torn_line(self._descriptor)
        return self._descriptor

    def _row(self, line: bytes, end: int) -> dict[str, Any]:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            number = 1 + self.path.read_bytes()[: end - 1].count(b"\n")
            raise LeadlineError("LL011", f"line {number} of {self.path.name} is damaged: {error}", where=str(self.path)) from None
        return _as_written(row)


def _nothing() -> None:
    """The closing of a file that is not open."""


def _sayable(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null for what JSON cannot hold, and `not_finite` that says what it was, within inner dicts too."""
    odd: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            inner = _sayable(cast("dict[str, Any]", value))
            if NOT_FINITE in inner:
                odd[key] = inner.pop(NOT_FINITE)
                row = {**row, key: inner}
        elif _is_number(value) and not math.isfinite(value):
            odd[key] = str(float(value))
            row = {**row, key: None}
    return {**row, NOT_FINITE: odd} if odd else row


def _is_number(value: Any) -> bool:
    if type(value) is float:
        return True
    if value is None or isinstance(value, int | str | list):
        return False
    import numpy as np  # only met for a value that is numpy's already

    return isinstance(value, np.floating)


def _as_written(row: dict[str, Any]) -> dict[str, Any]:
    return _put_back(row, row.pop(NOT_FINITE)) if NOT_FINITE in row else row


def _put_back(row: dict[str, Any], odd: dict[str, Any]) -> dict[str, Any]:
    inner = {key: cast("dict[str, Any]", word) for key, word in odd.items() if isinstance(word, dict)}
    numbers = {key: float(word) for key, word in odd.items() if key not in inner}
    return {**row, **numbers, **{key: _put_back(row[key], word) for key, word in inner.items()}}


def _byte_before(descriptor: int, offset: int) -> bytes:
    return os.pread(descriptor, 1, offset - 1)


def _drop_torn_line(descriptor: int) -> None:
    """Cut the file after its last newline."""
    end = size = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 65536)  # a row has some hundred bytes: one look is nearly always enough
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
