"""A text table's dialect: separator, quoting and header, read off the first rows, each with its evidence."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from leadline.base.errors import InputError
from leadline.data.cells import DECIMAL_COMMA, NUMBER
from leadline.data.encoding import find_encoding, open_bytes
from leadline.data.settings import DataSpec
from leadline.record.facts import Guess, Problem

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SAMPLE_CHARACTERS = 1 << 16
SAMPLE_ROWS = 200
LONGEST_NAME = 64  # characters; longer cells are content, not column names


@dataclass(frozen=True)
class Dialect:
    """How the text of one file falls into cells. quote: the quoting character or None; spaced: quotes stand after a space."""

    encoding: str
    separator: str
    quote: str | None
    spaced: bool
    header: bool
    names: tuple[str, ...]
    guesses: tuple[Guess, ...] = ()
    problems: tuple[Problem, ...] = ()


def find_dialect(path: Path, spec: DataSpec, *, header: bool | None = None) -> Dialect:
    """The dialect of a text table. header: known from a sister file; the user's word in spec goes first.

    Raises InputError LL002 for an empty file, LL005 for its encoding, LL013 when there are no columns, LL022 for an impossible separator.
    """
    encoding, guess = find_encoding(path, spec.encoding)
    text = _head(path, encoding)
    if not text.strip():
        raise InputError("LL002", f"{path.name} is empty", where=str(path), help="name a file that holds rows")
    separator, quote, rows = _separator(text, _given_separator(spec, path), path=path)
    said = spec.header if spec.header is not None else header
    is_header = _looks_like_header(rows, spec) if said is None else said
    guesses = [guess] if guess else []
    if quote is None and '"' in text:
        guesses.append(Guess("quote marks are text", "only so do the rows have the same number of cells", "data.separator=';'"))
    if said is None and not is_header:
        first = ", ".join(rows[0][:3])[:60]
        guesses.append(Guess("no header row", f"the first row looks like the others: {first}", "data.header=true"))
    found = Dialect(encoding, separator, quote, _spaced(text, separator), is_header, (), tuple(guesses))
    return _named(found, rows, where=path.name)


def _head(path: Path, encoding: str) -> str:
    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
        return text.read(SAMPLE_CHARACTERS).removeprefix("\ufeff")


def _given_separator(spec: DataSpec, path: Path) -> str | None:
    named = {name: sign for sign, name in SEPARATORS.items()} | {"\\t": "\t", "space": " "}
    given = named.get(spec.separator or "", spec.separator)
    if given is not None and (len(given) != 1 or given in '"\r\n'):
        raise InputError(
            "LL022", f"data.separator = {spec.separator!r}: a separator is one character", where=str(path), help="data.separator=';'"
        )
    return given


def _separator(text: str, given: str | None, *, path: Path) -> tuple[str, str | None, list[list[str]]]:
    """The separator and quoting under which most rows have the same number of cells, the wider the better."""
    best: tuple[tuple[float, ...], str, str | None, list[list[str]]] | None = None
    for place, separator in enumerate([given] if given else SEPARATORS):
        for quote in ('"', "'", None):
            rows = sample_rows(text, separator=separator, quote=quote)
            if not rows or (quote == "'" and not _single_quoted(text, separator)):
                continue
            width, count = Counter(len(row) for row in rows).most_common(1)[0]
            score = (width > 1, count / len(rows) > 0.9, round(count / len(rows), 2), quote is not None, quote == "'", width, -place)
            if best is None or score > best[0]:
                best = (score, separator, quote, rows)
    if best is None:
        raise InputError("LL013", f"{path.name} holds no rows of cells", where=str(path), help="data.separator=';'")
    return best[1], best[2], best[3]


def sample_rows(text: str, *, separator: str, quote: str | None) -> list[list[str]]:
    """The first rows as cells, without blank lines and without the last, which may be cut off."""
    reader = csv.reader(io.StringIO(text, newline=""), **reader_options(separator, quote))
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        return []
    whole = rows if len(text) < SAMPLE_CHARACTERS or len(rows) > SAMPLE_ROWS else rows[:-1]
    return [row for row in whole if row and (len(row) > 1 or row[0].strip())]


def reader_options(separator: str, quote: str | None) -> dict:
    """Keyword arguments of csv.reader for a dialect."""
    quoting = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    return {"delimiter": separator, "quotechar": quote or '"', "quoting": quoting, "skipinitialspace": separator not in " \t"}


def _single_quoted(text: str, separator: str) -> bool:
    cut = re.escape(separator)
    return '"' not in text and len(re.findall(rf"(?m)(?:^|{cut})\s*'[^'\n]*'\s*(?={cut}|\r?$)", text)) >= 2


def _spaced(text: str, separator: str) -> bool:
    return separator not in " \t" and re.search(rf"{re.escape(separator)} +[\"']", text) is not None


def _looks_like_header(rows: list[list[str]], spec: DataSpec) -> bool:
    """Whether the first row names columns: no numbers in it, but below it; or else all different and unlike the cells below."""
    first = [cell.strip() for cell in rows[0]]
    named = [cell for cell in first if cell]
    if not named or any(_is_number(cell) or cell in spec.missing or len(cell) > LONGEST_NAME for cell in named):
        return False
    columns = [{row[place].strip() for row in rows[1:] if place < len(row)} - set(spec.missing) for place in range(len(first))]
    if any(column and all(_is_number(cell) for cell in column) for column in columns):
        return True
    return len(set(named)) == len(named) and not any(cell and cell in column for cell, column in zip(first, columns, strict=True))


def _is_number(cell: str) -> bool:
    return re.match(NUMBER, cell) is not None or re.match(DECIMAL_COMMA, cell) is not None


def _named(dialect: Dialect, rows: list[list[str]], *, where: str) -> Dialect:
    """The dialect with its column names; a header one cell shorter than the rows belongs to a table with row names."""
    body = rows[1:] if dialect.header else rows
    width = Counter(len(row) for row in body).most_common(1)[0][0] if body else len(rows[0])
    if not dialect.header:
        return replace(dialect, names=tuple(f"column_{place}" for place in range(width)))
    cells = [cell.strip() for cell in rows[0]]
    if width == len(cells) + 1:
        last_empty = all(not row[-1].strip() for row in body if len(row) == width)
        cells = [*cells, ""] if last_empty else ["row_name", *cells]
    names, problems = distinct_names(cells, where)
    return replace(dialect, names=names, problems=problems)


def distinct_names(cells: list[str], where: str) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Column names without doubles: the second "a" becomes "a.1", and a column without a name "column_3"; said as a problem."""
    names: list[str] = []
    renamed: list[str] = []
    for place, cell in enumerate(cells):
        name = base = " ".join(cell.splitlines()) or f"column_{place}"
        count = 0
        while name in names:
            count += 1
            name = f"{base}.{count}"
        if count:
            renamed.append(f"{base} (column {place}) -> {name}")
        names.append(name)
    if not renamed:
        return tuple(names), ()
    text = f"{len(renamed)} columns of {where} carry a name that stood before; they were given a number"
    return tuple(names), (Problem("duplicate_column_names", "odd", len(renamed), tuple(renamed[:20]), text),)
