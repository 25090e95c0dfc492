"""A TensorBoard folder: scalars out of its event files, read record by record; a torn last record is left out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.base.find import module
from leadline.doctor.logs.trace import Points, Trace, named

PATTERN = "*tfevents*"
LENGTH, CRC = struct.Struct("<Q"), 4  # a record: length, its checksum, the bytes, their checksum
LARGEST = 64 * 2**20  # bytes of one event; a length beyond it is damage, not data


def recognises(path: Path) -> bool:
    """Whether it is an event file, or a folder with some at any depth."""
    return "tfevents" in path.name or (path.is_dir() and next(path.rglob(PATTERN), None) is not None)


def read(path: Path) -> Trace:
    """The trace of all scalars below. Where several runs stand side by side, name one of them (InputError LL004)."""
    files = [path] if path.is_file() else sorted(path.rglob(PATTERN))
    folders = sorted({file.parent for file in files})
    if len(folders) > 1 and not _is_one_run(path, folders):
        shown = ", ".join(str(folder.relative_to(path)) for folder in folders[:4])
        raise InputError("LL004", f"{path} holds several runs: {shown}", where=str(path), help=f"leadline doctor {folders[0]}")
    raw: dict[str, Points] = {}
    for file in files:
        side = "" if file.parent == path or path.is_file() else f"{file.parent.name}/"
        for step, value in ((event.step, value) for event in _events(file) for value in event.summary.value):
            number = _scalar(value)
            if number is not None:
                raw.setdefault(f"{side}{value.tag}", []).append((step, number))
    series = named(raw)
    if not {"train/loss", "val/loss"} & set(series):
        listed = ", ".join(list(raw)[:6]) or "no scalars"
        raise InputError("LL004", f"{path} logs no loss: {listed}", where=str(path), help="log a scalar whose name ends in 'loss'")
    return Trace(str(path), "tensorboard", series)


def _is_one_run(path: Path, folders: list[Path]) -> bool:
    """Keras writes one folder for each side of a run."""
    return {folder.name for folder in folders if folder != path} <= {"train", "validation", "val", "test", "eval"}


def _events(file: Path) -> Iterator[Any]:
    event = module("tensorboardX.proto.event_pb2").Event
    data = file.read_bytes()
    place = 0
    while place + LENGTH.size + CRC <= len(data):
        (size,) = LENGTH.unpack_from(data, place)
        start = place + LENGTH.size + CRC
        if size > LARGEST or start + size + CRC > len(data):
            return
        yield event.FromString(data[start : start + size])
        place = start + size + CRC


def _scalar(value: Any) -> float | None:
    """A scalar as PyTorch writes it (simple_value), or as TensorFlow 2 does (a tensor of one number)."""
    if value.WhichOneof("value") == "simple_value":
        return float(value.simple_value)
    if value.WhichOneof("value") == "tensor":
        tensor = value.tensor
        if tensor.float_val:
            return float(tensor.float_val[0])
        if len(tensor.tensor_content) == 4 and tensor.dtype == 1:  # DT_FLOAT
            return float(struct.unpack("<f", tensor.tensor_content)[0])
    return None
