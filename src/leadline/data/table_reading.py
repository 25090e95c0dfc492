"""From a file to batches of cleaned columns, a bounded piece at a time: text, JSON lines, Parquet, and frames in memory."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from leadline.base.errors import InputError
from leadline.data import cells
from leadline.data.dialect import Dialect, distinct_names, find_dialect, reader_options
from leadline.data.encoding import open_bytes
from leadline.data.settings import DataSpec
from leadline.data.table_files import form
from leadline.record.facts import Guess, Problem

if TYPE_CHECKING:
    import pandas as pd

    from leadline.data.preparers.rows import RowsPreparer

BLOCK_BYTES = 4 << 20  # text read at a time
BLOCK_ROWS = 1 << 15  # rows of JSON, Parquet or a frame at a time


@dataclass
class Reading:
    """One file on its way in. names: its columns; batches(): its rows, cleaned; malformed: (row from 0, cells found) skipped so far."""

    where: str
    names: tuple[str, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    guesses: tuple[Guess, ...] = ()
    problems: tuple[Problem, ...] = ()
    has_header: bool = True
    malformed: list[tuple[int, int]] = field(default_factory=list)
    lines: Callable[[list[int]], list[int]] = list
    """Line numbers in the file of some rows (from 0)."""


def read(path: Path, spec: DataSpec, *, header: bool | None = None) -> Reading:
    """Open one table file. header: known from a sister file. Raises InputError for what cannot be read at all."""
    try:
        kind = form(path)
        if kind == "parquet":
            return _parquet(path, spec)
        return _json_lines(path, spec) if kind == "jsonl" else _text(path, spec, header=header)
    except (EOFError, OSError) as error:
        raise InputError("LL013", f"{path.name} cannot be read: {error}", where=str(path), help="check that the file is whole") from None


def read_arrow(table: pa.Table, spec: DataSpec, *, where: str) -> Reading:
    """A table in memory, read as a file would be."""
    names, problems = distinct_names([str(name) for name in table.column_names], where)
    plain = pa.table([cells.plain(column) for column in table.columns], names=list(names))
    return Reading(where, names, lambda: (_cleaned(batch, spec) for batch in plain.to_batches(BLOCK_ROWS)), problems=problems)


def read_pandas(frame: pd.DataFrame, spec: DataSpec, *, where: str) -> Reading:
    """A pandas frame, read as a file would be; columns of mixed objects become text."""
    columns = [cells.from_values(frame.iloc[:, place]) for place in range(frame.shape[1])]
    return read_arrow(pa.table(columns, names=[str(name) for name in frame.columns]), spec, where=where)


def read_frame(path: Path, preparer: RowsPreparer) -> pd.DataFrame:
    """The rows of a file for prediction: columns under the names the preparer knows; the target may be among them."""
    spec = DataSpec(missing=preparer.missing, separator=preparer.separator, encoding=preparer.encoding)
    reading = read(path, spec)
    if reading.has_header and set(preparer.used_columns) & set(reading.names):
        names = reading.names
    else:
        reading = read(path, spec, header=False)
        names = _names_without_header(reading.names, preparer, path=path)
    batches = list(reading.batches())
    refuse_malformed(reading, sum(batch.num_rows for batch in batches), max_excluded=0.0)
    if not batches:
        raise InputError("LL002", f"{path.name} holds no rows", where=str(path), help="name a file that holds rows")
    frame = pa.Table.from_batches(batches).rename_columns(list(names)).to_pandas()
    frame.index = range(1, len(frame) + 1)
    return frame


def _names_without_header(found: tuple[str, ...], preparer: RowsPreparer, *, path: Path) -> tuple[str, ...]:
    """Names for a table without header: the training columns in their order, with or without the target."""
    for names in (preparer.table_columns, tuple(name for name in preparer.table_columns if name != preparer.target)):
        if names and len(names) == len(found) and names[0] == "column_0":
            return names
    missing = [name for name in preparer.used_columns if name not in found]
    raise InputError(
        "LL029",
        f"{path.name} lacks {len(missing)} of the columns the model was trained on: {', '.join(missing[:8])}",
        where=str(path),
        help=f"the first row must name the columns: {', '.join(preparer.used_columns[:8])}",
    )


def refuse_malformed(reading: Reading, rows: int, *, max_excluded: float) -> None:
    """InputError LL013 with line numbers when a larger share of rows than allowed does not have the table's number of cells."""
    bad = len(reading.malformed)
    if not bad or bad <= max_excluded * (rows + bad):
        return
    share = math.ceil(10_000 * bad / (rows + bad)) / 10_000
    lines = reading.lines([row for row, _ in reading.malformed[:5]])
    shown = ", ".join(f"line {line} has {found}" for line, (_, found) in zip(lines, reading.malformed, strict=False))
    raise InputError(
        "LL013",
        f"{bad} of {rows + bad} rows do not have {len(reading.names)} cells: {shown}",
        where=reading.where,
        help=f"repair them, name the separator with data.separator, or leave them out with  data.max_excluded={share:g}",
    )


def _cleaned(batch: pa.RecordBatch, spec: DataSpec) -> pa.RecordBatch:
    columns = [cells.clean(cells.plain(column), spec.missing) for column in batch.columns]
    return pa.record_batch(columns, names=batch.schema.names)


def _text(path: Path, spec: DataSpec, *, header: bool | None) -> Reading:
    dialect = find_dialect(path, spec, header=header)
    malformed: list[tuple[int, int]] = []
    source = _spaced_batches if dialect.spaced else _csv_batches

    def batches() -> Iterator[pa.RecordBatch]:
        malformed.clear()
        return (_cleaned(batch, spec) for batch in source(path, dialect, malformed=malformed))

    lines = lambda rows: _line_numbers(path, dialect, rows=rows)  # noqa: E731
    return Reading(str(path), dialect.names, batches, dialect.guesses, dialect.problems, dialect.header, malformed, lines)


def _csv_batches(path: Path, dialect: Dialect, *, malformed: list[tuple[int, int]]) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv as arrow_csv

    def skip(row: Any) -> str:
        malformed.append((row.number - 1 - dialect.header, row.actual_columns))
        return "skip"

    if not _has_rows(path, dialect):
        return  # Arrow gives such a reader up while a thread of its own still works on it, and that aborts a process about to end
    names = list(dialect.names)
    with open_bytes(path) as raw:
        try:
            with arrow_csv.open_csv(
                raw,
                arrow_csv.ReadOptions(
                    column_names=names,
                    skip_rows_after_names=int(dialect.header),
                    use_threads=False,  # with threads the row numbers of malformed rows are not known
                    encoding=dialect.encoding.replace("utf-8-sig", "utf8"),
                    block_size=BLOCK_BYTES,
                ),
                arrow_csv.ParseOptions(
                    delimiter=dialect.separator,
                    quote_char=dialect.quote or False,
                    newlines_in_values=dialect.quote is not None,
                    invalid_row_handler=skip,
                ),
                arrow_csv.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=False),
            ) as batches:
                yield from batches
        except pa.ArrowInvalid as error:
            raise InputError("LL013", f"{path.name}: {error}", where=str(path), help="check its quotes and data.separator") from None


def _spaced_batches(path: Path, dialect: Dialect, *, malformed: list[tuple[int, int]]) -> Iterator[pa.RecordBatch]:
    """The slower reader, for tables that put a space between separator and quote, which Arrow takes for an unquoted cell."""
    width = len(dialect.names)
    rows: list[list[str]] = []
    for place, (_, row) in enumerate(_python_rows(path, dialect)):
        if len(row) == width:
            rows.append(row)
        else:
            malformed.append((place, len(row)))
        if len(rows) == BLOCK_ROWS:
            yield _from_rows(rows, dialect.names)
            rows = []
    yield _from_rows(rows, dialect.names)


def _from_rows(rows: list[list[str]], names: tuple[str, ...]) -> pa.RecordBatch:
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(names))]
    return pa.record_batch(columns, names=list(names))


def _python_rows(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, cells) of each row below the header; blank lines are passed over."""
    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=dialect.encoding, newline="") as text:
        reader = csv.reader(text, **reader_options(dialect.separator, dialect.quote))
        begin, header = 1, dialect.header
        for row in reader:
            if row and not header:
                yield begin, row
            header = header and not row
            begin = reader.line_num + 1


def _has_rows(path: Path, dialect: Dialect) -> bool:
    try:
        return next(_python_rows(path, dialect), None) is not None
    except csv.Error:  # such as a cell too long for this reader, which Arrow takes
        return True


def _line_numbers(path: Path, dialect: Dialect, *, rows: list[int]) -> list[int]:
    wanted = set(rows)
    last = max(wanted, default=-1)
    return [line for place, (line, _) in enumerate(itertools.islice(_python_rows(path, dialect), last + 1)) if place in wanted]


def _parquet(path: Path, spec: DataSpec) -> Reading:
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise InputError(
            "LL013", f"{path.name} is no Parquet file: {error}", where=str(path), help="check that the file is whole"
        ) from None
    kept = [name for name in schema.names if not name.startswith("__index_level_")]
    names, problems = distinct_names(kept, path.name)

    def batches() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(BLOCK_ROWS, columns=kept, use_threads=False):
                yield _cleaned(batch.rename_columns(list(names)), spec)

    return Reading(str(path), names, batches, problems=problems)


def _json_lines(path: Path, spec: DataSpec) -> Reading:
    names: dict[str, None] = {}
    for _, record in _records(path, spec):
        names.update(dict.fromkeys(record))
    if not names:
        raise InputError("LL002", f"{path.name} holds no records", where=str(path), help="one JSON object a line")

    def batches() -> Iterator[pa.RecordBatch]:
        rows = (record for _, record in _records(path, spec))
        while block := list(itertools.islice(rows, BLOCK_ROWS)):
            columns = [pa.array([_json_cell(record.get(name)) for record in block], pa.string()) for name in names]
            yield _cleaned(pa.record_batch(columns, names=list(names)), spec)

    return Reading(str(path), tuple(names), batches)


def _json_cell(value: Any) -> str | None:
    return None if value is None else cells.as_text(value)


def _records(path: Path, spec: DataSpec) -> Iterator[tuple[int, dict[str, Any]]]:
    import orjson

    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=spec.encoding or "utf-8-sig") as text:
        lines = enumerate(text, start=1)
        for number, line in _decoded(lines, path):
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InputError("LL013", f"line {number} is not JSON: {error}", where=str(path), help="one JSON object a line") from None
            if not isinstance(record, dict):
                raise InputError("LL013", f"line {number} is not a JSON object", where=str(path), help='lines like {"a": 1, "label": "x"}')
            yield number, record


def _decoded(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[tuple[int, str]]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise InputError("LL005", f"{path.name} is not {error.encoding}", where=str(path), help="data.encoding=cp1252") from None
