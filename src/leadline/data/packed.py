"""Pictures where they lie, as bytes: files of a folder, or records of a set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from leadline.data import decode


class Packed(ABC):
    """Numbered pictures as files or records hold them, not yet decoded."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> bytes:
        """The bytes of one picture; raises Unreadable."""

    @abstractmethod
    def title(self, index: int) -> str:
        """How a person finds it."""

    @abstractmethod
    def total_bytes(self) -> int:
        """Bytes of all of them, about."""


class PackedFiles(Packed):
    """Picture files by path below a folder."""

    def __init__(self, names: Sequence[str | Path], *, root: str | Path = "") -> None:
        self.names = names
        self.root = Path(root)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes:
        return decode.read_bytes(self.root / self.names[index])

    def title(self, index: int) -> str:
        return str(self.names[index])

    def total_bytes(self) -> int:
        return sum(_size(self.root / name) for name in self.names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
