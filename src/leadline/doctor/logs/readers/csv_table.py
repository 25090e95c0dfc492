"""A CSV of losses: one row a step or epoch, or a single column of numbers; cells may be empty, as Lightning's logger leaves them."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from leadline.base.errors import InputError
from leadline.doctor.logs.trace import Points, Trace, named

STEPS = ("step", "global_step", "iteration", "iter", "epoch", "batch")
SNIFFED = 4096  # characters: enough to tell a comma from a semicolon


def recognises(path: Path) -> bool:
    """Whether it is a file that bears such a name."""
    return path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".txt")


def read(path: Path) -> Trace:
    """Its trace; a column without a name is a loss. Raises InputError LL004 where no column holds a loss."""
    rows = [row for row in _rows(path) if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError("LL002", f"{path.name} is empty", where=str(path), help="name another log")
    headless = all(_number(cell) is not None for cell in rows[0] if cell.strip())
    names = _unnamed(len(rows[0])) if headless else [cell.strip() for cell in rows[0]]
    body = rows if headless else rows[1:]
    place = next((names.index(name) for step in STEPS for name in names if name.lower() == step), None)
    raw: dict[str, Points] = {}
    for number, row in enumerate(body, 1):
        at = _number(row[place]) if place is not None and place < len(row) else float(number)
        for column, (name, cell) in enumerate(zip(names, row, strict=False)):
            value = _number(cell)
            if value is not None and at is not None and column != place and name.lower() not in STEPS:
                raw.setdefault(name, []).append((at, value))
    series = named(raw)
    if not {"train/loss", "val/loss"} & set(series):
        listed = ", ".join(names[:8])
        raise InputError("LL004", f"{path.name} has no column of losses: {listed}", where=str(path), help="name one of them 'loss'")
    return Trace(str(path), "csv", series)


def _rows(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:SNIFFED], delimiters=",;\t |")
    except csv.Error:
        dialect = csv.excel
    return list(csv.reader(text.splitlines(), dialect))


def _unnamed(count: int) -> list[str]:
    return ["loss"] if count == 1 else ["step", "loss", *(f"column {number}" for number in range(3, count + 1))]


def _number(cell: str) -> float | None:
    word = cell.strip().lower()
    if word in ("nan", "inf", "-inf", "+inf", "infinity"):
        return math.nan if word == "nan" else -math.inf if word.startswith("-") else math.inf
    try:
        return float(word)
    except ValueError:
        return None
