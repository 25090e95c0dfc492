"""The cut itself, as a record: which example stands on which side, how that came about, and its file `split.parquet`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.base.errors import InputError
from leadline.record.facts import Guess, Problem

if TYPE_CHECKING:
    from leadline.data.source import Examples

SIDES = ("train", "val", "test")
FILE = "split.parquet"
_LEFT_OUT = "left out"


@dataclass(frozen=True)
class Split:
    """Ascending int64 indices of the examples on each side; val or test may be empty.

    content: (N,) uint64 content hashes of all examples, from which `hashes` proves later that it is the same cut of the same data.
    how: one sentence for people. by: the column whose groups were kept together. together: twins were, too.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    how: str
    content: np.ndarray
    by: str | None = None
    together: bool = False
    guesses: tuple[Guess, ...] = ()
    problems: tuple[Problem, ...] = ()

    def sides(self) -> dict[str, np.ndarray]:
        """The three sides by name, in order."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each side's sorted content hashes: equal when the side holds the same contents, in whatever order."""
        ordered = {name: np.sort(self.content[rows]).astype("<u8") for name, rows in self.sides().items()}
        return {name: hashlib.sha256(hashes.tobytes()).hexdigest() for name, hashes in ordered.items()}

    def side_of(self) -> np.ndarray:
        """(N,) int8: 0 train, 1 val, 2 test, -1 left out."""
        side = np.full(len(self.content), -1, np.int8)
        for code, rows in enumerate(self.sides().values()):
            side[rows] = code
        return side


def write(split: Split, examples: Examples, folder: str | Path) -> Path:
    """Write `split.parquet` into `folder` (columns index, name, side, hash) and return its path; the file is whole or not there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = np.array([*SIDES, _LEFT_OUT])  # side -1 is the last
    columns = {
        "index": pa.array(np.arange(len(split.content))),
        "name": pa.array([str(name) for name in examples.names]),
        "side": pa.array(words[split.side_of()]).dictionary_encode(),
        "hash": pa.array(split.content),
    }
    about = {
        "how": split.how,
        "by": split.by,
        "together": split.together,
        "guesses": [asdict(guess) for guess in split.guesses],
        "problems": [asdict(problem) for problem in split.problems],
    }
    table = pa.table(columns).replace_schema_metadata({"leadline": json.dumps(about)})
    path = Path(folder) / FILE
    aside = path.with_name(f".{FILE}.tmp")
    pq.write_table(table, aside)
    aside.replace(path)
    return path


def read(folder: str | Path) -> Split:
    """The Split that `write` put into `folder`; InputError LL011 when the file is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(folder) / FILE
    try:
        table = pq.read_table(path)
        about: dict[str, Any] = json.loads(table.schema.metadata[b"leadline"])
        side, content = np.asarray(table["side"].to_pylist()), table["hash"].to_numpy()
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError("LL011", f"{FILE} is missing or damaged: {str(error).splitlines()[0]}", where=str(folder)) from None
    train, val, test = (np.flatnonzero(side == name) for name in SIDES)
    problems = tuple(Problem(**{**entry, "items": tuple(entry["items"])}) for entry in about["problems"])
    guesses = tuple(Guess(**entry) for entry in about["guesses"])
    return Split(train, val, test, about["how"], content, about["by"], about["together"], guesses, problems)
