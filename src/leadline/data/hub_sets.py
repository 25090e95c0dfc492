"""Opening sets of the Hugging Face hub with the `datasets` library: pictures stay packed, tables go through the table reader."""

from __future__ import annotations

import bisect
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from leadline.base.errors import InputError
from leadline.base.find import module
from leadline.base.spec import nearest
from leadline.data.decode import Unreadable, read_bytes
from leadline.data.folders import SIDES
from leadline.data.label_file import LABEL_NAMES
from leadline.data.labelled_pictures import Labelled, open_labelled, problem
from leadline.data.packed import Packed
from leadline.data.settings import DataSpec
from leadline.data.source import Examples
from leadline.record.facts import Guess, Problem

_ROWS = 4096  # rows written to a table file at a time


class PackedRecords(Packed):
    """Pictures in the records of a set's parts, one part after the other. parts: datasets with one undecoded picture column each."""

    def __init__(self, parts: dict[str, Any], column: str) -> None:
        self.column = column
        self.sides, self.parts = list(parts), list(parts.values())
        self.ends = list(accumulate(len(part) for part in self.parts))

    def __len__(self) -> int:
        return self.ends[-1]

    def read(self, index: int) -> bytes:
        part, row = self._place(index)
        packed = self.parts[part][row][self.column]
        if packed is None:
            raise Unreadable("holds no picture")
        return packed["bytes"] if packed["bytes"] is not None else read_bytes(packed["path"])

    def title(self, index: int) -> str:
        part, row = self._place(index)
        return f"{self.sides[part]} {row + 1}"

    def total_bytes(self) -> int:
        return sum(part.data.nbytes for part in self.parts)

    def _place(self, index: int) -> tuple[int, int]:
        part = bisect.bisect_right(self.ends, index)
        return part, index - (self.ends[part - 1] if part else 0)


def open_hub(name: str, spec: DataSpec) -> Examples:
    """The set `name` (org/name, org/name:config or a local folder) as examples; see `Hub` for the errors."""
    parts, problems = _by_side(_load(name), name)
    features = next(iter(parts.values())).features
    datasets = module("datasets")
    pictures = [column for column, feature in features.items() if isinstance(feature, datasets.Image)]
    if pictures:
        return _open_pictures(name, parts, spec, column=pictures[0], problems=problems)
    return _open_table(name, parts, spec)


def write_tiny(pictures: Path, root: Path) -> None:
    """Write class folders as a local set: each fourth picture of a class is for the test."""
    datasets = module("datasets")
    root.mkdir(parents=True, exist_ok=True)
    classes = sorted(entry.name for entry in pictures.iterdir())
    files = [(path, code) for code, label in enumerate(classes) for path in sorted((pictures / label).iterdir())]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=classes)})
    for side, is_test in (("train", False), ("test", True)):
        chosen = [pair for place, pair in enumerate(files) if (place % 4 == 3) is is_test]
        records = {"image": [{"bytes": path.read_bytes(), "path": None} for path, _ in chosen], "label": [code for _, code in chosen]}
        datasets.Dataset.from_dict(records, features=features).to_parquet(str(root / f"{side}.parquet"))


def _load(name: str) -> dict[str, Any]:
    """Every part of the set, fetched by `datasets` where its cache lacks it."""
    path, _, config = name.partition(":")
    datasets = module("datasets")
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()  # they would fill a log with carriage returns
    try:
        return dict(datasets.load_dataset(path, config or None))
    except ValueError as error:
        raise InputError("LL022", f"{name}: {_first_line(error)}", where="data.source", help=f"hf://{path}:CONFIG") from None
    except (OSError, RuntimeError) as error:
        raise InputError(
            "LL006",
            f"the set {name} could not be fetched: {_first_line(error)}",
            where="data.source",
            help="check the name and the network (https://huggingface.co/datasets lists names), or use a local folder",
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]


def _by_side(loaded: dict[str, Any], name: str) -> tuple[dict[str, Any], list[Problem]]:
    """The parts by side; a part of another name is told and not used. One part alone keeps its name and is cut anew."""
    if len(loaded) == 1:
        return loaded, []
    parts = {SIDES[part.lower()]: data for part, data in loaded.items() if part.lower() in SIDES}
    others = [part for part in loaded if part.lower() not in SIDES]
    if "train" not in parts:
        raise InputError("LL027", f"{name} has the parts {', '.join(loaded)} and none for training", where="data.source")
    text = "parts of the set that are neither train, validation nor test: not used"
    return parts, [problem("other_parts", "odd", others, text)] if others else []


def _open_pictures(name: str, parts: dict[str, Any], spec: DataSpec, *, column: str, problems: list[Problem]) -> Examples:
    datasets = module("datasets")
    features = next(iter(parts.values())).features
    target = _label_column(name, features, spec, pictures=column)
    found = {side: _labels(part, target) for side, part in parts.items()}
    hidden = [side for side in parts if side != "train" and not any(found[side])]
    problems += [problem(f"{side}_without_labels", "odd", [side], f"the {side} part of the set has no labels: not used") for side in hidden]
    used = {side: part for side, part in parts.items() if side not in hidden}
    undecoded = {side: part.select_columns([column]).cast_column(column, datasets.Image(decode=False)) for side, part in used.items()}
    packed = PackedRecords(undecoded, column)
    labels = [label for side in used for label in found[side]]
    labelled = Labelled(
        packed,
        [packed.title(index) for index in range(len(packed))],
        labels,
        [side for side, part in used.items() for _ in range(len(part))] if len(used) > 1 else None,
        target,
        classes=_in_order(features[target], set(labels)),
        columns={other: np.concatenate([np.asarray(part[other][:]) for part in used.values()]) for other in _plain(features, target)},
        problems=problems,
        guesses=(
            Guess(f"pictures in '{column}', labels in '{target}'", f"columns of {name}: {', '.join(features)}", "data.target=COLUMN"),
        ),
    )
    return open_labelled(f"hf://{name}", labelled, spec)


def _label_column(name: str, features: Any, spec: DataSpec, *, pictures: str) -> str:
    """The column of labels: the one the user named, the only one with class names, or the only one of a telling name."""
    others = [column for column in features if column != pictures]
    if isinstance(spec.target, int) and spec.target in range(len(features)):
        return list(features)[spec.target]
    if spec.target is not None:
        if spec.target in others:
            return str(spec.target)
        close = nearest(str(spec.target), others)
        raise InputError(
            "LL017",
            f"{name} has no column '{spec.target}'; it has {', '.join(others)}",
            where="data.target",
            help=f"data.target={close or others[-1]}",
        )
    classed = [column for column in others if isinstance(features[column], module("datasets").ClassLabel)]
    telling = [column for column in others if column.lower() in LABEL_NAMES]
    for chosen in (classed, telling):
        if len(chosen) == 1:
            return chosen[0]
    if not others:
        raise InputError("LL014", f"{name} holds pictures without any other column, so without labels", where="data.source")
    raise InputError(
        "LL017",
        f"which column of {name} holds the labels is not clear: {', '.join(others)}",
        where="data.target",
        help=f"data.target={others[0]}",
    )


def _labels(part: Any, target: str) -> list[str]:
    """Labels of one part as text, by name where the set names its classes; "" for a label that is kept back."""
    values: Sequence[Any] = part[target][:]
    feature = part.features[target]
    if isinstance(feature, module("datasets").ClassLabel):
        return [feature.names[code] if code is not None and code >= 0 else "" for code in values]
    return ["" if value is None else str(value) for value in values]


def _in_order(feature: Any, present: set[str]) -> list[str]:
    """Class names in the set's own order, those that occur."""
    names = feature.names if isinstance(feature, module("datasets").ClassLabel) else sorted(present)
    return [name for name in names if name in present]


def _plain(features: Any, target: str) -> list[str]:
    """Columns of single values beside the target: they can name groups."""
    return [name for name, feature in features.items() if name != target and isinstance(feature, module("datasets").Value)]


def _open_table(name: str, parts: dict[str, Any], spec: DataSpec) -> Examples:
    """Through a folder of Parquet files, one per part, in pieces: the table reader does the rest as for files of the user's own."""
    from leadline.data.table import open_table

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name.replace("/", "_").strip("_")
        folder.mkdir()
        for side, part in parts.items():
            _write(part, folder / f"{side}.parquet")
        examples = open_table(folder if len(parts) > 1 else next(folder.iterdir()), spec)
    examples.facts = replace(examples.facts, name=f"hf://{name}")
    return examples


def _write(part: Any, path: Path) -> None:
    """One part as Parquet, with the names of classes instead of their codes."""
    classed = {column: feature.names for column, feature in part.features.items() if isinstance(feature, module("datasets").ClassLabel)}
    writer = None
    for batch in part.with_format("arrow").iter(batch_size=_ROWS):
        table = batch
        for column, names in classed.items():
            codes = np.asarray(table.column(column).fill_null(-1))
            labels = pa.array(names).take(pa.array(codes, mask=codes < 0))
            table = table.set_column(table.schema.get_field_index(column), column, labels)
        table = table.replace_schema_metadata(None)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
