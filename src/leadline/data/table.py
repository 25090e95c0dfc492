"""A table's opening, told top to bottom: which files, what their columns are, what the target is, and the examples with their facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.data import cells
from leadline.data.columns import check_names, decide
from leadline.data.room import free_memory
from leadline.data.row_names import RowNames, counted
from leadline.data.settings import DataSpec
from leadline.data.table_examples import TableExamples
from leadline.data.table_files import TableFile, table_files
from leadline.data.table_passes import SHOWN, FirstPass, SecondPass, first_pass, odd_cells, second_pass, with_odd
from leadline.data.table_reading import Reading, read, read_pandas
from leadline.data.target import Target, choose_target, class_labels, named_column, one_spelling
from leadline.record.facts import Column, Facts, Guess, Problem

if TYPE_CHECKING:
    import pandas as pd

STREAM_ABOVE = 0.2  # share of the free memory above which a table's text goes through a temporary file
UNPACKED = {".gz": 8.0, ".parquet": 6.0, ".pq": 6.0}  # bytes in memory per byte of such a file, about; 1.5 for text


def open_table(path: Path, spec: DataSpec, *, stream_above: int | None = None) -> TableExamples:
    """Open a table file, or a folder that is one table. stream_above: bytes in memory above which rows go through a temporary file.

    Raises InputError LL001 to LL005, LL013, LL017 to LL020 for what cannot be read as a table with this target.
    """
    files, aside = table_files(path)
    limit = free_memory() * STREAM_ABOVE if stream_above is None else stream_above
    in_file = sum(_bytes_in_memory(file.path) for file in files) > limit
    readings, problems = _same_target(files, spec)
    sides = [file.side for file, reading in zip(files, readings, strict=True) if reading is not None]
    guesses = _file_guesses(files, aside) + (
        [Guess("rows kept in a temporary file", "the table is large for the free memory", "more memory")] if in_file else []
    )
    kept = [reading for reading in readings if reading is not None]
    return _open(
        kept, spec, sides=sides if len(kept) > 1 else None, name=path.name, where=str(path), in_file=in_file, said=(problems, guesses)
    )


def open_frame(frame: pd.DataFrame, spec: DataSpec, *, name: str) -> TableExamples:
    """A pandas frame as examples; spec.target names the column to predict, or it is guessed."""
    return open_frames({None: frame}, spec, name=name)


def open_frames(frames: Mapping[str | None, pd.DataFrame], spec: DataSpec, *, name: str) -> TableExamples:
    """Frames as one table, each the side ("train", "val", "test") that it stands under; or a single one without side."""
    readings = [read_pandas(frame, spec, where=name if side is None else side) for side, frame in frames.items()]
    sides = list(frames) if len(frames) > 1 else None
    return _open(readings, spec, sides=sides, name=name, where=name, in_file=False, said=([], []))


def _open(
    readings: list[Reading],
    spec: DataSpec,
    *,
    sides: list[str | None] | None,
    name: str,
    where: str,
    in_file: bool,
    said: tuple[list[Problem], list[Guess]],
) -> TableExamples:
    check_names(list(readings[0].names), spec, where=where)
    first = first_pass(readings, spec, in_file=in_file)
    if not first.raw.num_rows:
        raise InputError("LL002", f"{name} holds column names and no rows", where=where, help="name a file that holds rows")
    target = choose_target(first.tallies, spec, where=where)
    columns = [decide(tally, spec) for tally in first.tallies if target is None or tally.name != target.name]
    second = second_pass(first, columns, target=target, where=where)
    without = _without_target(first, second, target=target, spec=spec, where=where)
    given = None if sides is None else np.delete(np.repeat(np.asarray(sides), first.origin.counts), second.gone)
    targets, respelt = _targets(second, target, sides=given)
    problems = (*said[0], *_of_readings(readings), *first.problems, *without, *odd_cells(second), *respelt)
    guesses = [
        *said[1],
        *(guess for reading in readings[:1] for guess in reading.guesses),
        *(target.guesses if target else ()),
        *_unused(columns),
    ]
    facts = Facts(kind="table", name=name, num_examples=second.spool.num_rows, problems=problems, guesses=tuple(guesses))
    facts = _with_target(facts, first, columns=[with_odd(column, second) for column in columns], target=target, targets=targets)
    if given is not None:
        facts = replace(facts, given_split={side: int((given == side).sum()) for side in ("train", "val", "test") if (given == side).any()})
    left_out = [*first.left_out, *((f"row {first.origin.name(int(row))}", "no target") for row in second.gone)]
    return TableExamples(
        second.spool, facts, names=RowNames(first.origin, second.gone), targets=targets, given_split=given, left_out=left_out
    )


def _same_target(files: list[TableFile], spec: DataSpec) -> tuple[list[Reading | None], list[Problem]]:
    """The readings; None for a test file that has every column but the target, as competitions give it out."""
    head = read(files[0].path, spec)
    readings: list[Reading | None] = [head]
    problems: list[Problem] = []
    for file in files[1:]:
        reading = read(file.path, spec, header=head.has_header)
        lacking = set(head.names) - set(reading.names)
        wanted = None if spec.target is None else named_column(spec.target, list(head.names), where=str(file.path))
        if len(lacking) == 1 and head.has_header and (wanted is None or wanted in lacking):
            text = f"{file.path.name} has no column '{lacking.pop()}', so it is no part of the {file.side} split; predict reads it"
            problems.append(Problem("file_without_target", "odd", 1, (file.path.name,), text))
            readings.append(None)
        else:
            readings.append(reading)
    return readings, problems


def _file_guesses(files: list[TableFile], aside: list[Path]) -> list[Guess]:
    guesses = []
    if len(files) > 1:
        names = ", ".join(f"{file.path.name} ({file.side})" for file in files)
        guesses.append(Guess("the data's own split", f"by file names: {names}", f"name one file: {files[0].path.name}"))
    if aside:
        guesses.append(Guess("tables left aside", f"no part of the split: {', '.join(path.name for path in aside[:5])}", "name the file"))
    return guesses


def _of_readings(readings: list[Reading]) -> list[Problem]:
    return [problem for reading in readings for problem in reading.problems]


def _without_target(first: FirstPass, second: SecondPass, *, target: Target | None, spec: DataSpec, where: str) -> list[Problem]:
    """Rows left out for want of a target, or InputError LL018 when they are more than the user allows."""
    count, total = len(second.gone), first.raw.num_rows
    if target is None or not count:
        return []
    shown = tuple(f"row {first.origin.name(int(row))}" for row in second.gone[:SHOWN])
    if count > spec.max_excluded * total:
        enough = next(step for step in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if step * total >= count)
        raise InputError(
            "LL018",
            f"{count} of {total} rows without a value in the target '{target.name}': {', '.join(shown[:5])}",
            where=where,
            help=f"leave them out with  data.max_excluded={enough:g}  , or fill them in",
        )
    return [Problem("target_missing", "excluded", count, shown, f"{counted(count, 'row')} without the target '{target.name}': left out")]


def _targets(second: SecondPass, target: Target | None, *, sides: np.ndarray | None) -> tuple[np.ndarray | None, list[Problem]]:
    if target is None:
        return None, []
    if target.kind == "numbers":
        return np.concatenate([piece.to_numpy(zero_copy_only=False) for piece in second.targets]), []
    labels = class_labels(pa.concat_arrays(second.targets), target.decimal)
    change, problem = one_spelling(labels, sides)
    if problem is None:
        return labels, []
    distinct, place = np.unique(labels, return_inverse=True)
    return np.asarray([change.get(label, label) for label in distinct.tolist()])[place], [problem]


def _with_target(facts: Facts, first: FirstPass, *, columns: list[Column], target: Target | None, targets: np.ndarray | None) -> Facts:
    if target is None or targets is None or not len(targets):
        return replace(facts, columns=tuple(columns))
    names = [tally.name for tally in first.tallies]
    place = names.index(target.name)
    tally = first.tallies[place]
    example = str(targets[0]) if target.kind == "classes" else cells.number_text(targets[0])
    seen = Column(
        target.name, "target", missing=tally.missing, unique=tally.distinct, example=example, reason=f"to predict, as {target.kind}"
    )
    columns.insert(place, seen)
    facts = replace(facts, columns=tuple(columns), target=target.name, target_kind=target.kind)
    if target.kind == "numbers":
        return facts
    distinct, counts = np.unique(targets, return_counts=True)
    found = dict(zip(distinct.tolist(), counts.tolist(), strict=True))
    classes = cells.in_order(list(found))
    columns[place] = replace(seen, unique=len(classes))
    facts = replace(facts, columns=tuple(columns))
    return replace(facts, classes=classes, class_counts=tuple(found[name] for name in classes))


def _unused(columns: list[Column]) -> list[Guess]:
    left = [column for column in columns if not column.used and not column.reason.startswith(("left out by", "makes the split"))]
    if not left:
        return []
    said = "; ".join(f"{column.name}: {column.kind} ({column.reason})" for column in left[:8])
    more = f"; and {len(left) - 8} more" if len(left) > 8 else ""
    keep = ", ".join(column.name for column in left[:2])
    return [Guess(f"{counted(len(left), 'column')} not used", said + more, f"data.keep=[{keep}]")]


def _bytes_in_memory(path: Path) -> float:
    return path.stat().st_size * UNPACKED.get(path.suffix.lower(), 1.5)
