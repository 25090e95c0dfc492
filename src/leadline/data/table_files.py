"""Which files make one table: a file as it is, or a folder whose train/val/test files belong together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from leadline.base.errors import InputError

TEXT = (".csv", ".tsv", ".tab", ".psv")
LINES = (".jsonl", ".ndjson")
BINARY = (".parquet", ".pq")
LOOSE = (".txt", ".data", ".dat")  # a table only when named as a file: in a folder they are mostly notes
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
SIDES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
}


@dataclass(frozen=True)
class TableFile:
    """One file of a table, and the side of the split it stands for, if any."""

    path: Path
    side: str | None = None


def form(path: Path) -> str | None:
    """ "text", "jsonl" or "parquet" by the file's ending, .gz of text ones included; None for anything else."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    ending = suffixes[-1] if suffixes else ""
    if ending == ".gz":
        ending = suffixes[0] if len(suffixes) == 2 else ""
    elif ending in BINARY:
        return "parquet"
    return "text" if ending in TEXT + LOOSE else "jsonl" if ending in LINES else None


def side_of(path: Path) -> str | None:
    """The side of the split a file's name speaks of: "adult-train.csv" is "train"."""
    words = re.split(r"[^a-z]+", path.name.lower().split(".")[0])
    found = {SIDES[word] for word in words if word in SIDES}
    return found.pop() if len(found) == 1 else None


def in_folder(folder: Path) -> list[Path]:
    """The table files that lie directly in a folder."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [path for path in paths if form(path) and not _is_loose(path)]


def evidence(path: Path) -> str | None:
    """Why the path is a table, or None."""
    if path.is_file():
        kind = form(path)
        return f"{path.name} is a {kind} table by its name" if kind else None
    if not path.is_dir():
        return None
    tables = in_folder(path)
    if not tables or any(entry.suffix.lower() in PICTURES for entry in path.iterdir()):
        return None
    sides = {side_of(table) for table in tables} - {None}
    if len(tables) == 1:
        return f"the folder holds one table, {tables[0].name}"
    return f"the folder holds {len(tables)} tables" + (f" with {' and '.join(sorted(filter(None, sides)))} in their names" if sides else "")


def table_files(path: Path) -> tuple[list[TableFile], list[Path]]:
    """The files to read, training first, and tables of the folder that are left aside.

    Raises InputError LL001 for a missing path, LL002 for a folder without tables, LL004 when it holds several and none is the training one.
    """
    if path.is_file():
        return [TableFile(path)], []
    if not path.is_dir():
        raise InputError("LL001", f"there is no file or folder {path}", where=str(path), help="check the path")
    tables = in_folder(path)
    if not tables:
        raise InputError("LL002", f"{path} holds no table", where=str(path), help="tables end in .csv, .tsv, .parquet or .jsonl")
    if len(tables) == 1:
        return [TableFile(tables[0])], []
    sided = {side: [table for table in tables if side_of(table) == side] for side in ("train", "val", "test")}
    if len(sided["train"]) != 1 or any(len(found) > 1 for found in sided.values()):
        names = ", ".join(table.name for table in tables[:5])
        raise InputError("LL004", f"{path} holds {len(tables)} tables: {names}", where=str(path), help=f"name one file: {tables[0]}")
    chosen = [TableFile(found[0], side) for side, found in sided.items() if found]
    return chosen, [table for table in tables if table not in [file.path for file in chosen]]


def _is_loose(path: Path) -> bool:
    return any(suffix.lower() in LOOSE for suffix in path.suffixes[-2:])
