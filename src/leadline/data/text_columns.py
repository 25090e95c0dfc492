"""Which columns of a table are texts and which one is the label, and the table opened as texts."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.base.nearest import did_you_mean
from leadline.data.settings import DataSpec
from leadline.data.table_files import table_files
from leadline.data.table_reading import Reading, read, refuse_malformed
from leadline.data.text_examples import TextExamples, kept_or_refused, split_counts, text_facts
from leadline.record.facts import Facts, Guess, TargetKind

LOOKED_AT = 500  # rows
WORDS = 4  # a text has more, in the middle of all
LETTERS = 0.6  # least share of a text's characters that are letters or spaces
DISTINCT = 0.8  # least share of texts that come once
MOST_COLUMNS = 6  # a wider table is no list of texts
MOST_LABELS = 200
LABELS = ("label", "labels", "class", "target", "category", "sentiment", "topic", "y")


@dataclass(frozen=True)
class Columns:
    """Places of the columns: texts, and the labels (one, or several of 0 and 1)."""

    texts: tuple[int, ...]
    labels: tuple[int, ...]


def why_texts(path: Path) -> str | None:
    """The evidence that a table is a list of texts, or None; reads its first rows."""
    try:
        reading = read(table_files(path)[0][0].path, DataSpec())
        rows = _head(reading)
    except InputError:
        return None
    if len(reading.names) > MOST_COLUMNS or not rows:
        return None
    texts = _texts(rows)
    others = [place for place in range(len(reading.names)) if place not in texts]
    if not texts or any(len({row[place] for row in rows}) > max(2, len(rows) // 10) for place in others):
        return None
    quoted = " and ".join(f"'{reading.names[place]}'" for place in texts)
    return f"{path.name}: {quoted} {'holds' if len(texts) == 1 else 'hold'} running text"


def open_texts(path: Path, spec: DataSpec) -> TextExamples:
    """All rows of the table, or of its train, dev and test files, as texts with their labels."""
    files, _ = table_files(path)
    readings = [read(file.path, spec) for file in files]
    rows = [(place, row) for place, reading in enumerate(readings) for row in _all(reading, spec)]
    names = [f"{files[place].path.name}:{number}" for place, number in _numbered([place for place, _ in rows], readings)]
    cells = [row for _, row in rows]
    if len({len(reading.names) for reading in readings}) > 1:
        counts = ", ".join(f"{file.path.name} has {len(each.names)}" for file, each in zip(files, readings, strict=True))
        text = f"the files have different numbers of columns: {counts}"
        raise InputError("LL013", text, where=str(path), help="give them the same columns")
    columns = _columns(cells[:LOOKED_AT], readings[0].names, spec, where=str(path))
    texts = ["\n".join(row[place] for place in columns.texts).strip() for row in cells]
    is_empty = [not text for text in texts]
    kept, problems = kept_or_refused(texts, is_empty, names, most=spec.max_excluded, what="have no text", where=str(path))
    sides = _sides([files[place].side for place, _ in rows])
    cells, texts, names = [cells[i] for i in kept], [texts[i] for i in kept], [names[i] for i in kept]
    sides, header = None if sides is None else sides[kept], readings[0].names
    targets, kind, classes, counts = _targets(cells, columns, header, names=names, where=str(path))
    guesses = [guess for reading in readings for guess in reading.guesses]
    said = [Guess(f"text in {_listed(columns.texts, header)}", "running text", "task=classify_table reads a table")]
    if columns.labels:
        said.append(Guess(f"label in {_listed(columns.labels, header)}", _label_words(kind, classes), "target=COLUMN"))
    facts = Facts(
        "text",
        path.stem if path.is_file() else path.name,
        len(texts),
        target=header[columns.labels[0]] if len(columns.labels) == 1 else None,
        target_kind=kind,
        classes=classes,
        class_counts=counts,
        text=text_facts("documents", texts),
        given_split=split_counts(None if sides is None else sides.tolist()),
        problems=problems,
        guesses=(*said, *guesses),
    )
    return TextExamples(texts, facts, names=names, targets=targets, given_split=sides)


def _label_words(kind: str | None, classes: tuple[str, ...]) -> str:
    shown = ", ".join(classes[:6]) + (" ..." if len(classes) > 6 else "")
    return f"{len(classes)} labels that {'do not exclude each other' if kind == 'several' else 'exclude each other'}: {shown}"


def _targets(
    cells: Sequence[tuple[str, ...]], columns: Columns, header: Sequence[str], *, names: Sequence[str], where: str
) -> tuple[np.ndarray | None, TargetKind | None, tuple[str, ...], tuple[int, ...]]:
    """The targets, their kind, the classes and how many rows have each."""
    if not columns.labels:
        return None, None, (), ()
    if len(columns.labels) > 1:
        classes = tuple(header[place] for place in columns.labels)
        pairs = list(zip(classes, columns.labels, strict=True))
        rows = [tuple(name for name, place in pairs if row[place].strip() == "1") for row in cells]
        targets = np.empty(len(rows), object)
        targets[:] = rows
        counts = Counter(label for row in rows for label in row)
        return targets, "several", classes, tuple(counts[label] for label in classes)
    place = next(iter(columns.labels))
    labels = [row[place].strip() for row in cells]
    gone = [name for name, label in zip(names, labels, strict=True) if not label]
    if gone:
        text = f"{len(gone):,} of {len(labels):,} rows without a label: {', '.join(gone[:5])}"
        raise InputError("LL018", text, where=where, help="fill them in, or take the rows out")
    found = Counter(labels)
    classes = tuple(sorted(found))
    return np.array(labels, object), "classes", classes, tuple(found[label] for label in classes)


def _listed(places: Sequence[int], header: Sequence[str]) -> str:
    return " and ".join(f"'{header[place]}'" for place in places)


def _columns(rows: list[tuple[str, ...]], header: tuple[str, ...], spec: DataSpec, *, where: str) -> Columns:
    """The user's target, or the one column (or the 0/1 columns) beside the texts."""
    if spec.target is not None:
        own = _named(spec.target, header, where=where)
        texts = tuple(place for place in _texts(rows) if place != own)
        if not texts:
            raise InputError("LL014", f"no column beside '{header[own]}' holds texts", where=where, help="task=classify_table")
        return Columns(texts, (own,))
    texts = _texts(rows)
    if not texts:
        raise InputError("LL014", "no column holds texts", where=where, help="task=classify_table, or target=COLUMN")
    others = [place for place in range(len(header)) if place not in texts and header[place] not in spec.ignore]
    called = [place for place in others if header[place].lower() in LABELS]
    if len(called) == 1:
        return Columns(texts, tuple(called))
    few = [place for place in others if 1 < len({row[place] for row in rows}) <= MOST_LABELS]
    if len(few) > 1 and all({row[place].strip() for row in rows} <= {"0", "1"} for place in few):
        return Columns(texts, tuple(few))
    if len(few) > 1:
        raise InputError("LL014", f"any of {_listed(few, header)} may be the label", where=where, help=f"target={header[few[0]]}")
    return Columns(texts, tuple(few))


def _named(target: str | int, header: tuple[str, ...], *, where: str) -> int:
    if isinstance(target, int) or (target not in header and str(target).isdigit()):
        if int(target) < len(header):
            return int(target)
    elif target in header:
        return header.index(target)
    hint = did_you_mean(str(target), header, else_say=f"columns: {', '.join(header)}")
    raise InputError("LL017", f"there is no column '{target}' among {len(header)}", where=f"{where}, target", help=hint)


def _texts(rows: Sequence[tuple[str, ...]]) -> tuple[int, ...]:
    return tuple(place for place in range(len(rows[0]) if rows else 0) if _is_text([row[place] for row in rows]))


def _is_text(cells: list[str]) -> bool:
    cells = [cell for cell in cells if cell]
    if not cells or len(set(cells)) < DISTINCT * len(cells):
        return False
    words = sorted(len(cell.split()) for cell in cells)
    together = "".join(cells)
    letters = sum(sign.isalpha() or sign == " " for sign in together)
    return words[len(words) // 2] > WORDS and letters > LETTERS * len(together)


def _head(reading: Reading) -> list[tuple[str, ...]]:
    return list(itertools.islice((row for batch in reading.batches() for row in _rows(batch)), LOOKED_AT))


def _rows(batch: pa.RecordBatch) -> list[tuple[str, ...]]:
    columns = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in batch.columns]
    return list(zip(*columns, strict=True))


def _all(reading: Reading, spec: DataSpec) -> list[tuple[str, ...]]:
    rows = [row for batch in reading.batches() for row in _rows(batch)]
    refuse_malformed(reading, len(rows), max_excluded=spec.max_excluded)
    return rows


def _numbered(places: list[int], readings: list[Reading]) -> list[tuple[int, int]]:
    """(file, row from 1) of each row."""
    counters = [itertools.count(1) for _ in readings]
    return [(place, next(counters[place])) for place in places]


def _sides(sides: list[str | None]) -> np.ndarray | None:
    return None if None in sides else np.array(sides)
