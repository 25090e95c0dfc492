"""Decoded examples in files of fixed-size rows, read row by row: memory stays bounded however many there are."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import torch

from leadline.base.errors import InputError, LeadlineError
from leadline.data.room import in_words
from leadline.data.store import Layout, Store


class DiskStore(Store):
    """One file per stored array in `folder`. The files have no name there: the system deletes them with the process, however it ends.

    Reads are positioned (`pread`), not mapped: mapped pages would count as this process's memory. Several threads may fetch at once.
    """

    kind = "disk"

    def __init__(
        self, layout: Layout, chunks: Iterable[tuple[int, tuple[np.ndarray, ...]]], *, device: torch.device, reason: str, folder: Path
    ) -> None:
        self.layout, self.device, self.reason = layout, device, reason
        self.home = torch.device("cpu")
        self._files: list[IO[bytes]] = []
        self._end = weakref.finalize(self, _close, self._files)  # also when filling fails, or nobody closes the store
        with _refused(folder, layout.total_bytes):
            folder.mkdir(parents=True, exist_ok=True)
            for _ in layout.shapes:
                self._files.append(tempfile.TemporaryFile(dir=folder, prefix="examples-", buffering=0))  # noqa: SIM115
        for _, arrays in chunks:
            with _refused(folder, layout.total_bytes):
                for file, array in zip(self._files, arrays, strict=True):
                    _write(file, array)

    def fetch(self, indices: torch.Tensor | np.ndarray) -> tuple[torch.Tensor, ...]:
        rows = np.asarray(indices.cpu() if isinstance(indices, torch.Tensor) else indices, dtype=np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"examples are numbered 0 to {len(self) - 1}")
        tensors = self.layout.empty(len(rows), pinned=self.device.type == "cuda")
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        starts, ends = np.concatenate([[0], breaks]), np.concatenate([breaks, [len(rows)]])
        for file, tensor, size in zip(self._files, tensors, self.layout.row_bytes, strict=True):
            if size and len(rows):
                _read(file.fileno(), tensor.numpy(), rows=rows, runs=(starts, ends), size=size)
        return tuple(tensor.to(self.device, non_blocking=True) for tensor in tensors)

    def close(self) -> None:
        self._end()


def _close(files: list[IO[bytes]]) -> None:
    for file in files:
        file.close()


def _write(file: IO[bytes], array: np.ndarray) -> None:
    rest = _bytes_of(np.ascontiguousarray(array))
    while len(rest):  # one call writes at most 2 GB
        rest = rest[file.write(rest) :]


def _bytes_of(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array as bytes; a view cannot be cast when it holds nothing."""
    return memoryview(array.reshape(-1).view(np.uint8)) if array.size else memoryview(b"")  # pyright: ignore[reportArgumentType]


def _read(file: int, out: np.ndarray, *, rows: np.ndarray, runs: tuple[np.ndarray, np.ndarray], size: int) -> None:
    """Fill `out` with the rows; neighbours in the file that are neighbours in the batch are read at once."""
    target = _bytes_of(out)
    for start, end in zip(runs[0].tolist(), runs[1].tolist(), strict=True):
        offset, place, wanted = int(rows[start]) * size, start * size, (end - start) * size
        while wanted:  # one call gives at most 2 GB
            data = os.pread(file, wanted, offset)
            if not data:
                raise LeadlineError("LL002", "the file of decoded examples is shorter than it was written", where="data.cache")
            target[place : place + len(data)] = data
            offset, place, wanted = offset + len(data), place + len(data), wanted - len(data)


@contextmanager
def _refused(folder: Path, total: int) -> Iterator[None]:
    """What the system refuses to write, as an error for people."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            text = f"no room for {in_words(total)} of decoded examples"
            raise InputError("LL008", text, where=str(folder), help="data.cache=none") from error
        text = f"decoded examples cannot be written: {error.strerror}"
        raise InputError("LL007", text, where=str(folder), help="data.cache=none, or --out DIR") from error
