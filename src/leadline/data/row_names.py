"""Where each row came from: from the number of an example back to file and row, without a list of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np


@dataclass(frozen=True)
class Origin:
    """Files in the order they were read. counts: rows read from each; skipped: sorted rows (from 0) of each that were malformed."""

    files: tuple[str, ...]
    counts: tuple[int, ...]
    skipped: tuple[np.ndarray, ...]

    def name(self, row: int) -> str:
        """The name of the row read as number `row` (from 0): "12", or "test.csv:12" when there are several files. Counted from 1."""
        ends = np.cumsum(self.counts)
        file = int(np.searchsorted(ends, row, side="right"))
        local = row - (int(ends[file - 1]) if file else 0)
        number = str(past(local, self.skipped[file]) + 1)
        return number if len(self.files) == 1 else f"{self.files[file]}:{number}"


def past(index: int, gone: np.ndarray) -> int:
    """The index-th whole number (from 0) that is not among `gone` (sorted)."""
    return index + int(np.searchsorted(gone - np.arange(len(gone)), index, side="right"))


def counted(count: int, noun: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class RowNames(Sequence[str]):
    """(N,) names of the examples: rows of the origin without those in `gone` (sorted)."""

    def __init__(self, origin: Origin, gone: np.ndarray) -> None:
        self.origin = origin
        self.gone = gone

    def __len__(self) -> int:
        return sum(self.origin.counts) - len(self.gone)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = int(index) + len(self) if index < 0 else int(index)
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self.origin.name(past(place, self.gone))
