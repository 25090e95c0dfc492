"""The two passes over a table: first what its columns hold, then every cell as what its column is. Memory stays bounded in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.data import cells
from leadline.data.cells import pc
from leadline.data.row_names import Origin, counted
from leadline.data.settings import DataSpec
from leadline.data.spool import Spool
from leadline.data.table_reading import Reading, refuse_malformed
from leadline.data.tally import Tally
from leadline.data.target import Target
from leadline.record.facts import Column, Problem

SHOWN = 20  # items that a Problem names


@dataclass(frozen=True)
class FirstPass:
    """All rows as read, a tally of each column, and where the rows came from."""

    raw: Spool
    tallies: list[Tally]
    origin: Origin
    problems: tuple[Problem, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass
class SecondPass:
    """Rows as examples. targets: (N,) as Arrow pieces; gone: sorted numbers of rows without target; missing: odd cells by column."""

    spool: Spool
    targets: list[pa.Array] = field(default_factory=list)
    gone: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    odd: Counter[str] = field(default_factory=Counter)
    odd_shown: dict[str, list[str]] = field(default_factory=dict)


def first_pass(readings: list[Reading], spec: DataSpec, *, in_file: bool) -> FirstPass:
    """Read all rows once. Raises InputError LL013 for columns that differ between files and for too many malformed rows."""
    names = list(readings[0].names)
    raw, tallies = Spool(in_file=in_file), [Tally(name) for name in names]
    counts: list[int] = []
    problems: list[Problem] = []
    left_out: list[tuple[str, str]] = []
    schema: pa.Schema | None = None
    for reading in readings:
        before = raw.num_rows
        for batch in _in_order(reading, names):
            schema = schema or batch.schema
            batch = _aligned(batch, schema, where=reading.where)
            for tally, column in zip(tallies, batch.columns, strict=True):
                tally.add(column)
            raw.add(batch)
        counts.append(raw.num_rows - before)
        refuse_malformed(reading, counts[-1], max_excluded=spec.max_excluded)
        if reading.malformed:
            problem = _malformed(reading)
            problems.append(problem)
            left_out += [(item, "not the table's number of cells") for item in problem.items]
    skipped = tuple(np.array([row for row, _ in reading.malformed], dtype=np.int64) for reading in readings)
    origin = Origin(tuple(Path(reading.where).name for reading in readings), tuple(counts), skipped)
    return FirstPass(raw.close(), tallies, origin, tuple(problems), tuple(left_out))


def second_pass(first: FirstPass, columns: list[Column], *, target: Target | None, where: str) -> SecondPass:
    """Turn cells into numbers, times and text; rows without target are left out. Raises InputError LL020 for text in a numbers target."""
    done = SecondPass(Spool(in_file=first.raw.in_file))
    gone: list[np.ndarray] = []
    start = 0
    for batch in first.raw.batches():
        rows = np.arange(start, start + batch.num_rows)
        start += batch.num_rows
        if target is not None:
            goal = batch.column(target.name)
            has = goal.is_valid()
            kept = has.to_numpy(zero_copy_only=False)
            gone.append(rows[~kept])
            batch, goal, rows = batch.filter(has), goal.filter(has), rows[kept]
            done.targets.append(
                goal if target.kind == "classes" else _number_target(goal, target, rows=rows, origin=first.origin, where=where)
            )
        done.spool.add(_typed(batch, columns, rows=rows, done=done, origin=first.origin))
    done.spool.close()
    done.gone = np.concatenate(gone) if gone else done.gone
    return done


def odd_cells(done: SecondPass) -> list[Problem]:
    """One problem for each column of numbers or dates that holds cells which are neither."""
    return [
        Problem(
            "odd_cells",
            "odd",
            count,
            tuple(done.odd_shown[name]),
            f"{counted(count, 'cell')} of column '{name}' not like the others: read as missing",
        )
        for name, count in done.odd.items()
    ]


def with_odd(column: Column, done: SecondPass) -> Column:
    """The column, its odd cells counted as missing."""
    return replace(column, missing=column.missing + done.odd[column.name])


def _in_order(reading: Reading, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The reading's batches with the columns in the first file's order."""
    if set(reading.names) != set(names):
        missing = [name for name in names if name not in reading.names]
        extra = [name for name in reading.names if name not in names]
        said = f"lacks {missing[:5]}, adds {extra[:5]}"
        raise InputError("LL013", f"{Path(reading.where).name} has other columns than the training file: {said}", where=reading.where)
    return (batch.select(names) for batch in reading.batches())


def _aligned(batch: pa.RecordBatch, schema: pa.Schema, *, where: str) -> pa.RecordBatch:
    """The batch in the types of the first one; text and numbers in one column become text when the first held text."""
    if batch.schema.equals(schema):
        return batch
    columns = []
    for wanted, column in zip(schema, batch.columns, strict=True):
        if pa.types.is_string(wanted.type):
            column = cells.labels(column)
        elif column.type != wanted.type and column.null_count < len(column):
            raise InputError("LL013", f"column '{wanted.name}' holds {wanted.type} at first and {column.type} later", where=where)
        columns.append(column if column.type == wanted.type else pa.nulls(len(column), wanted.type))
    return pa.record_batch(columns, schema=schema)


def _malformed(reading: Reading) -> Problem:
    count = len(reading.malformed)
    lines = reading.lines([row for row, _ in reading.malformed[:SHOWN]])
    items = tuple(f"{Path(reading.where).name}, line {line}" for line in lines)
    return Problem(
        "malformed_rows",
        "excluded",
        count,
        items,
        f"{counted(count, 'row')} of another length than the others: left out",
    )


def _number_target(goal: pa.Array, target: Target, *, rows: np.ndarray, origin: Origin, where: str) -> pa.Array:
    numbers = cells.numbers(goal, target.decimal)
    odd = np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False))
    if len(odd):
        texts = cells.labels(goal.take(pa.array(odd[:3]))).to_pylist()
        shown = ", ".join(f"{text!r} in row {origin.name(int(rows[place]))}" for place, text in zip(odd, texts, strict=False))
        raise InputError(
            "LL020",
            f"the target '{target.name}' holds numbers, and also {shown}",
            where=where,
            help="repair them, add the text to data.missing, or data.target_kind=classes",
        )
    return numbers


def _typed(batch: pa.RecordBatch, columns: list[Column], *, rows: np.ndarray, done: SecondPass, origin: Origin) -> pa.RecordBatch:
    typed = []
    for column in columns:
        array = batch.column(column.name)
        read = _as_kind(array, column)
        typed.append(read)
        if read.null_count > array.null_count:
            odd = np.flatnonzero(pc.and_(array.is_valid(), read.is_null()).to_numpy(zero_copy_only=False))
            done.odd[column.name] += len(odd)
            shown = done.odd_shown.setdefault(column.name, [])
            for place in odd[: SHOWN - len(shown)].tolist():
                shown.append(f"{column.name}, row {origin.name(int(rows[place]))}: {array[place].as_py()!r}")
    return pa.record_batch(typed, names=[column.name for column in columns]) if typed else batch.select([])


def _as_kind(array: pa.Array, column: Column) -> pa.Array:
    if column.kind == "number":
        return cells.numbers(array, column.format)
    if column.kind == "date":
        return cells.dates(array, column.format)
    return cells.labels(array, column.format if column.kind == "category" else None)
