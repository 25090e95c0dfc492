"""Where decoded examples are kept: in memory when they fit, else in a file of fixed-size rows, else nowhere and decoded each time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import torch

from leadline.base.errors import InputError
from leadline.data.room import free_disk, free_memory, in_words

if TYPE_CHECKING:
    from leadline.data.prepare import Preparer
    from leadline.data.source import Examples

Kind = Literal["memory", "disk", "none"]
MEMORY_SHARE = 0.4  # of free memory; the rest is for network, activations, evaluation and whatever else runs
DISK_SHARE = 0.5  # of the free disk; checkpoints need room too
CHUNK_BYTES = 32 << 20  # decoded at once while a store is filled


@dataclass(frozen=True)
class Layout:
    """The stored form of one example: shape and type of each array, and how many examples there are."""

    shapes: tuple[tuple[int, ...], ...]
    types: tuple[np.dtype, ...]
    num_examples: int

    @classmethod
    def of(cls, examples: Examples, preparer: Preparer) -> Layout:
        """Found by decoding one example; all are alike."""
        arrays = preparer.store(examples.fetch(np.arange(1)))
        return cls(tuple(array.shape[1:] for array in arrays), tuple(array.dtype for array in arrays), len(examples))

    @property
    def row_bytes(self) -> tuple[int, ...]:
        """Bytes of one example in each array."""
        return tuple(int(np.prod(shape, dtype=np.int64)) * kind.itemsize for shape, kind in zip(self.shapes, self.types, strict=True))

    @property
    def total_bytes(self) -> int:
        return sum(self.row_bytes) * self.num_examples

    def empty(self, count: int, *, pinned: bool = False) -> tuple[torch.Tensor, ...]:
        """Uninitialised tensors for `count` examples."""
        types = [torch.from_numpy(np.empty(0, kind)).dtype for kind in self.types]
        return tuple(torch.empty((count, *shape), dtype=kind, pin_memory=pinned) for shape, kind in zip(self.shapes, types, strict=True))


class Store(ABC):
    """All examples in the stored form of their preparer. reason: why this kind; bytes: what it takes where it is kept."""

    kind: ClassVar[Kind]
    works_ahead: bool = False
    """Whether waiting for `stream` is short already, so that a thread before it would not help."""
    layout: Layout
    device: torch.device
    home: torch.device
    """Where the indices given to `fetch` are best kept: beside the data."""
    reason: str
    lengths: np.ndarray | None = None
    """(N, arrays) how much of each array each example fills, where their lengths vary."""

    def __len__(self) -> int:
        return self.layout.num_examples

    @property
    def bytes(self) -> int:
        return self.layout.total_bytes

    @abstractmethod
    def fetch(self, indices: torch.Tensor | np.ndarray) -> tuple[torch.Tensor, ...]:
        """The stored arrays of some examples, (B, ...) each, on the device."""

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[tuple[torch.Tensor, ...]]:
        """`fetch` for one batch of indices after the other; a store that works ahead does it here."""
        for indices in batches:
            yield self.fetch(indices)

    def close(self) -> None:
        """Give back what is held outside memory."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build_store(
    examples: Examples,
    preparer: Preparer,
    cache: Literal["auto"] | Kind,
    *,
    device: str | torch.device = "cpu",
    folder: str | Path | None = None,
    workers: int = 0,
    processes: int = 1,
) -> Store:
    """Decode all examples into a store of the kind asked for; "auto" takes the first of memory, disk and none that has room.

    folder: where a disk store writes; without it "auto" goes from memory to none. workers: processes that decode for a store of kind none.
    processes: how many share this machine, each with a store of its own.
    Raises InputError LL022 when what was asked for does not fit, LL008 when the disk fills up meanwhile.
    """
    store = _built(examples, preparer, cache, device=torch.device(device), folder=folder, workers=workers, processes=processes)
    if preparer.varies:
        parts = (np.arange(start, min(start + 8192, len(store))) for start in range(0, len(store), 8192))
        store.lengths = torch.cat([preparer.lengths(store.fetch(part)) for part in parts]).cpu().numpy()
    return store


def _built(
    examples: Examples,
    preparer: Preparer,
    cache: Literal["auto"] | Kind,
    *,
    device: torch.device,
    folder: str | Path | None,
    workers: int,
    processes: int,
) -> Store:
    from leadline.data.store_disk import DiskStore
    from leadline.data.store_memory import MemoryStore
    from leadline.data.store_none import NoStore

    layout = Layout.of(examples, preparer)
    kind, reason = choose(cache, total=layout.total_bytes * processes, folder=folder)
    if kind == "memory":
        return MemoryStore(layout, filled(examples, preparer, layout), device=device, reason=reason)
    if kind == "disk":
        assert folder is not None
        return DiskStore(layout, filled(examples, preparer, layout), device=device, reason=reason, folder=Path(folder))
    return NoStore(layout, examples, preparer, device=device, reason=reason, workers=workers)


def choose(cache: Literal["auto"] | Kind, *, total: int, folder: str | Path | None) -> tuple[Kind, str]:
    """The kind of store for `total` bytes of decoded examples, and why."""
    memory, disk = free_memory(), 0 if folder is None else free_disk(folder)
    need = f"{in_words(total)} decoded"
    if cache == "auto":
        if total <= MEMORY_SHARE * memory:
            return "memory", f"{need} fit into {in_words(memory)} of free memory"
        if total <= DISK_SHARE * disk:
            return "disk", f"{need} are too much for {in_words(memory)} of free memory, and fit on the disk"
        return "none", f"{need} fit neither into {in_words(memory)} of free memory nor on {in_words(disk)} of free disk"
    if cache == "disk" and folder is None:
        text = "data.cache = 'disk' needs a folder to write to, and there is none"
        raise InputError("LL022", text, where="data.cache", help="data.cache=none")
    room = {"memory": memory, "disk": disk, "none": total}[cache]
    if total > room:
        text = f"data.cache = '{cache}': {need} are more than the {in_words(room)} that are free"
        raise InputError("LL022", text, where="data.cache", help="data.cache=auto")
    return cache, f"you said so; {need}"


def filled(examples: Examples, preparer: Preparer, layout: Layout) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """(start, stored arrays) of all examples in order, decoded in chunks of bounded size."""
    size = min(max(CHUNK_BYTES // max(sum(layout.row_bytes), 1), 16), 65536)
    for start in range(0, len(examples), size):
        yield start, preparer.store(examples.fetch(np.arange(start, min(start + size, len(examples)))))
