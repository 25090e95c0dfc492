"""The source contract: a source recognises what a user names and opens it as numbered examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.record.facts import Facts, Kind

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec


class Examples(ABC):
    """An opened source: examples 0..N-1, fetched in any order.

    facts: what is there. names: (N,) how a person finds each example again (relative path, or row number from 1).
    targets: (N,) as found: str labels for classes, float64 for numbers, or None when there is no target.
    given_split: (N,) of "train"/"val"/"test", or None.
    """

    facts: Facts
    names: Sequence[str]
    targets: np.ndarray | None
    given_split: np.ndarray | None

    def __len__(self) -> int:
        return self.facts.num_examples

    @abstractmethod
    def fetch(self, indices: np.ndarray) -> Any:
        """The raw examples: for images a list of uint8 arrays (H, W, C) of 1 or 3 channels, for tables a DataFrame without the target."""

    @abstractmethod
    def content_hashes(self) -> np.ndarray:
        """(N,) uint64 of each example's content without its target: equal content, equal hash. Stable between machines and runs."""

    def column(self, name: str) -> np.ndarray:
        """(N,) values of a column, for grouping or ordering; InputError LL017 when there is none of that name."""
        raise InputError("LL017", f"there is no column '{name}': {self.facts.name} holds {self.facts.kind} without columns", where="data")

    def near_hashes(self) -> np.ndarray | None:
        """(N,) uint64 perceptual hashes whose Hamming distance is small for near twins, or None where near twins are not defined."""
        if self.facts.kind != "images":
            return None
        from leadline.data.perceptual import near_hash

        blocks = np.array_split(np.arange(len(self)), len(self) // 1024 + 1)
        return np.concatenate([near_hash(self.thumbnails(block)) for block in blocks])

    def thumbnails(self, indices: np.ndarray) -> np.ndarray:
        """(n, 32, 32) uint8 grey thumbnails of some images, small enough to compare many."""
        from leadline.data.perceptual import thumbnails

        return thumbnails(self.fetch(indices))

    def excluded(self) -> Sequence[tuple[str, str]]:
        """(name, reason) of every example that was left out."""
        return ()


@dataclass(frozen=True, eq=False)
class Selection(Examples):
    """Some examples of another collection, renumbered 0..len(indices)-1."""

    whole: Examples
    indices: np.ndarray

    def __post_init__(self) -> None:
        pick = self.indices
        object.__setattr__(self, "facts", replace(self.whole.facts, num_examples=len(pick)))
        object.__setattr__(self, "names", [self.whole.names[i] for i in pick])
        object.__setattr__(self, "targets", None if self.whole.targets is None else self.whole.targets[pick])
        object.__setattr__(self, "given_split", None if self.whole.given_split is None else self.whole.given_split[pick])

    def fetch(self, indices: np.ndarray) -> Any:
        return self.whole.fetch(self.indices[indices])

    def content_hashes(self) -> np.ndarray:
        return self.whole.content_hashes()[self.indices]

    def column(self, name: str) -> np.ndarray:
        return self.whole.column(name)[self.indices]

    def near_hashes(self) -> np.ndarray | None:
        hashes = self.whole.near_hashes()
        return None if hashes is None else hashes[self.indices]

    def thumbnails(self, indices: np.ndarray) -> np.ndarray:
        return self.whole.thumbnails(self.indices[indices])

    def excluded(self) -> Sequence[tuple[str, str]]:
        return self.whole.excluded()


class Source(ABC):
    """A kind of place where examples come from; one file of `data/sources/`, its docstring is its handbook page."""

    claims: ClassVar[int] = 50
    """Order of asking: lower is asked first, so that special sources go before general ones."""
    gives: ClassVar[Kind | None] = None
    """The one kind of data that it opens, or None where it opens several: a named task asks only sources of its kind."""

    @classmethod
    @abstractmethod
    def recognises(cls, target: Any) -> str | None:
        """Why this source can open `target` (path, name, or objects in memory), as evidence for the user, or None. Cheap."""

    @classmethod
    def speaks_against(cls, spec: DataSpec) -> str | None:
        """Why what the user said about the data speaks against this source, which is then not asked; None when nothing does."""
        return None

    @classmethod
    @abstractmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        """Open it. Raises InputError for anything unusable, named by example."""

    @classmethod
    @abstractmethod
    def tiny(cls, folder: Any) -> Any:
        """Write (or make) a tiny real example and return the target that opens it; used by tests and docs."""


@dataclass(frozen=True)
class Found:
    """The source that will open a target, and why it was chosen."""

    name: str
    source: type[Source]
    evidence: str


def recognise(target: Any, spec: DataSpec | None = None, *, kind: Kind | None = None) -> Found:
    """Ask the shelf who can open `target`; the first by `claims` wins. Raises InputError LL001, LL002 or LL004.

    spec: what the user said about the data. kind: what the task is for, where one was named: sources of another kind are not asked, and
    the only one of its kind opens what none recognised, for it tells best what is amiss.
    """
    shelf = [(name, find("data.sources", name)) for name in names("data.sources")]
    asked = [(name, source) for name, source in shelf if kind is None or source.gives in (None, kind)]
    for name, source in sorted(asked, key=lambda pair: (pair[1].claims, pair[0])):
        if kind is None and spec is not None and source.speaks_against(spec):
            continue
        evidence = source.recognises(target)
        if evidence:
            return Found(name, source, evidence)
    own = [(name, source) for name, source in shelf if kind is not None and source.gives == kind]
    if len(own) == 1 and isinstance(target, str | Path) and Path(target).exists():
        return Found(*own[0], f"the task is for {kind}")
    raise unrecognised(target)


def unrecognised(target: Any) -> InputError:
    """The error for a target no source knows: a missing path (LL001), an empty folder (LL002), or an unknown kind (LL004)."""
    path = Path(str(target))
    if path.is_dir() and not any(entry.is_file() for entry in path.rglob("*")):
        return InputError(
            "LL002", f"{target} is an empty folder", where=str(target), help="put one folder of pictures per class in it, or a table"
        )
    if path.exists():
        return InputError("LL004", f"no source knows what {target} is", where=str(target), help="leadline list sources  shows what is read")
    return InputError(
        "LL001",
        f"there is no file, folder or known set called {target}",
        where=str(target),
        help="check the path; `leadline list sources` shows known names",
    )
