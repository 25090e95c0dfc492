"""A table of labels beside a flat folder of pictures: the column of file names is found by its content, the label by what is left."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.base.spec import nearest
from leadline.data.dialect import find_dialect, reader_options
from leadline.data.encoding import open_bytes
from leadline.data.folders import SIDES
from leadline.data.settings import DataSpec
from leadline.record.facts import Guess

LABEL_NAMES = ("label", "labels", "class", "classes", "target", "category", "y")
_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Labels:
    """Labels of the pictures that have one, in step with `pictures`.

    path: the file. target: name of the label column. columns: the others, each (N,).
    excluded: (name, reason) of pictures without label and of rows without picture.
    """

    path: Path
    pictures: list[str]
    labels: list[str]
    target: str
    columns: dict[str, np.ndarray]
    excluded: list[tuple[str, str]] = field(default_factory=list)
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True)
class _Cells:
    """A read label file: its column names, rows of cells, and the number of its first row."""

    path: Path
    names: tuple[str, ...]
    rows: list[list[str]]
    first: int
    guesses: tuple[Guess, ...]
    noun: str = "picture"
    telling: tuple[str, ...] = ()


def read_labels(
    root: Path,
    pictures: Sequence[str],
    others: Sequence[str],
    spec: DataSpec,
    *,
    noun: str = "picture",
    telling: tuple[str, ...] = LABEL_NAMES,
) -> Labels | None:
    """The labels of the file that spec.labels names, or of the one in `root` that lists the pictures; None when there is none.

    noun: what the files are, for messages. telling: column names that speak of labels.

    Raises InputError LL001 for a missing file, LL014 when no column holds the file names, LL017 when the label column is not clear,
    LL030 when two files list the pictures.
    """
    if spec.labels is not None:
        cells = replace(_read(_named(root, spec.labels), spec), noun=noun, telling=telling)
        column, found = _file_column(cells, pictures)
        if not found:
            raise InputError(
                "LL014",
                f"no column of {spec.labels} holds the names of the {noun}s in {root.name or root}",
                where=str(cells.path),
                help=f"one column must hold names such as {pictures[0]}",
            )
        return _joined(cells, column, pictures, spec)
    tables = [
        replace(_read(root / name, spec), noun=noun, telling=telling)
        for name in others
        if "/" not in name and name.lower().endswith(_SUFFIXES)
    ]
    fitting = [(cells, column) for cells in tables for column, found in [_file_column(cells, pictures)] if 2 * found >= len(cells.rows)]
    if len(fitting) > 1:
        listed = ", ".join(cells.path.name for cells, _ in fitting)
        raise InputError("LL030", f"{listed} all list the {noun}s", where=str(root), help=f"data.labels={fitting[0][0].path.name}")
    return _joined(*fitting[0], pictures, spec) if fitting else None


def _named(root: Path, name: str) -> Path:
    for path in (root / name, Path(name)):
        if path.is_file():
            return path
    raise InputError("LL001", f"there is no file of labels called {name}", where="data.labels", help=f"name a file of {root} or a path")


def _read(path: Path, spec: DataSpec) -> _Cells:
    if path.stat().st_size == 0:
        return _Cells(path, (), [], 1, ())
    dialect = find_dialect(path, spec)
    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=dialect.encoding, newline="") as text:
        reader = csv.reader(text, **reader_options(dialect.separator, dialect.quote))
        rows = [[cell.strip() for cell in row] for row in reader]
    rows = [row for row in rows if any(row)]
    body = rows[1:] if dialect.header else rows
    width = len(dialect.names)
    even = [(row + [""] * width)[:width] for row in body]
    return _Cells(path, dialect.names, even, 2 if dialect.header else 1, dialect.guesses)


def _file_column(cells: _Cells, pictures: Sequence[str]) -> tuple[int, int]:
    """The column with most file names, and how many it holds."""
    lookup = _lookup(pictures)
    found = [sum(_key(row[place]) in lookup for row in cells.rows) for place in range(len(cells.names))]
    best = max(range(len(found)), key=found.__getitem__, default=0)
    return best, found[best] if found else 0


def _lookup(pictures: Sequence[str]) -> dict[str, str]:
    """Relative path, file name and name without suffix, each to its picture where it means only one."""
    lookup: dict[str, str] = {}
    shared: set[str] = set()
    for shorten in (str, os.path.basename, lambda path: os.path.splitext(os.path.basename(path))[0]):
        level: dict[str, str] = {}
        for path in pictures:
            key = shorten(path)
            if level.setdefault(key, path) != path:
                shared.add(key)
        lookup = {key: path for key, path in level.items() if key not in shared} | lookup
    return lookup


def _key(cell: str) -> str:
    return cell.replace("\\", "/").removeprefix("./")


def _joined(cells: _Cells, files: int, pictures: Sequence[str], spec: DataSpec) -> Labels:
    """Put labels to pictures; what has no partner is excluded and named."""
    target, guess = _label_column(cells, files, spec)
    lookup = _lookup(pictures)
    row_of: dict[str, list[str]] = {}
    excluded: list[tuple[str, str]] = []
    for number, row in enumerate(cells.rows, start=cells.first):
        picture = lookup.get(_key(row[files]))
        if picture is None:
            excluded.append((f"{cells.path.name} row {number}: {row[files] or 'no file name'}", f"has no {cells.noun}"))
        elif row_of.setdefault(picture, row)[target] != row[target]:
            raise InputError(
                "LL030",
                f"{picture} is labelled both {row_of[picture][target]!r} and {row[target]!r}",
                where=f"{cells.path}, row {number}",
                help=f"keep one row per {cells.noun}",
            )
    labelled = [picture for picture in pictures if picture in row_of and row_of[picture][target] not in ("", *spec.missing)]
    without = set(pictures) - set(labelled)
    excluded += [(picture, f"has no label in {cells.path.name}") for picture in sorted(without)]
    others = [place for place in range(len(cells.names)) if place not in (files, target)]
    columns = {cells.names[place]: np.array([row_of[picture][place] for picture in labelled], dtype=object) for place in others}
    labels = [row_of[picture][target] for picture in labelled]
    return Labels(cells.path, labelled, labels, cells.names[target], columns, excluded, (*cells.guesses, guess))


def _label_column(cells: _Cells, files: int, spec: DataSpec) -> tuple[int, Guess]:
    """The place of the label: the one the user named, the only one left, the only one of a telling name, or an error that lists them."""
    places = [place for place in range(len(cells.names)) if place != files]
    names = [cells.names[place] for place in places]
    if spec.target is not None:
        return _named_column(cells, spec.target, files), Guess(
            f"file names in '{cells.names[files]}'", "its values are file names", "data.labels=FILE"
        )
    telling = [place for place in places if cells.names[place].lower() in cells.telling]
    useful = [place for place in places if not _holds_sides(cells, place)]
    for chosen in (useful, telling):
        if len(chosen) == 1:
            what = f"file names in '{cells.names[files]}', labels in '{cells.names[chosen[0]]}'"
            return chosen[0], Guess(what, f"columns of {cells.path.name}: {', '.join(cells.names)}", "data.target=COLUMN")
    close = names[0] if names else "COLUMN"
    raise InputError(
        "LL017",
        f"which column of {cells.path.name} holds the labels is not clear: {', '.join(names) or 'there is only one column'}",
        where=str(cells.path),
        help=f"data.target={close}",
    )


def _holds_sides(cells: _Cells, place: int) -> bool:
    values = {row[place].lower() for row in cells.rows}
    return bool(values) and values <= set(SIDES)


def _named_column(cells: _Cells, target: str | int, files: int) -> int:
    if isinstance(target, int) and target in range(len(cells.names)) and target != files:
        return target
    if target in cells.names:
        return cells.names.index(str(target))
    close = nearest(str(target), list(cells.names))
    raise InputError(
        "LL017",
        f"{cells.path.name} has no label column '{target}'; it has {', '.join(cells.names)}",
        where="data.target",
        help=f"data.target={close or cells.names[-1]}",
    )
