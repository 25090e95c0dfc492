"""Reading and writing idx files: a magic number, the shape, then the bytes."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data.labelled_arrays import Side, open_arrays
from leadline.data.pixels import ArrayImages
from leadline.data.sources.mnist_idx import NAME

_BYTES = 8  # the idx code of unsigned bytes; MNIST and its kin use no other
_NAMING = "files are named as train-images-idx3-ubyte.gz, with labels as train-labels-idx1-ubyte.gz"
_SIDES = {"train": "train", "t10k": "test", "test": "test", "val": "val"}
MAX_BYTES = 8 * 2**30
"""Larger arrays are refused from the header: a packed file of some kilobytes can claim any size."""


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of an idx file; raises InputError LL001 when it is missing, LL039 when magic number, shape or length are wrong."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _BYTES or head[3] not in (1, 3):
                raise _damaged(path, f"begins with {head.hex(' ') or 'nothing'}, where an idx file has 00 00 08 01 or 00 00 08 03")
            raw_shape = file.read(4 * head[3])
            if len(raw_shape) < 4 * head[3]:
                raise _damaged(path, "ends within its header")
            shape = struct.unpack(f">{head[3]}I", raw_shape)
            size = math.prod(shape)
            if size > MAX_BYTES:
                raise _damaged(path, f"claims the shape {shape}, more than {MAX_BYTES // 2**30} GB")
            body = file.read(size + 1)
    except FileNotFoundError:
        raise InputError("LL001", f"there is no file {path}", where=str(path)) from None
    except (EOFError, zlib.error, OSError) as error:
        raise _damaged(path, f"cannot be unpacked: {error}") from None
    if len(body) != size:
        held = "more" if len(body) > size else f"{len(body):,}"
        raise _damaged(path, f"should hold {size:,} bytes for the shape {shape} and holds {held}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as idx, packed when the name ends in .gz; equal arrays give equal files."""
    body = struct.pack(f">2x2B{array.ndim}I", _BYTES, array.ndim, *array.shape) + np.ascontiguousarray(array).tobytes()
    path.write_bytes(gzip.compress(body, mtime=0) if path.suffix == ".gz" else body)


def open_idx(target: Path) -> ArrayImages:
    """The examples of a folder of idx files, or of the one set that a file belongs to; see `MnistIdx` for the errors."""
    folder = target if target.is_dir() else target.parent
    only = None if target.is_dir() else _named(target).group("set")
    if not folder.is_dir():
        raise InputError("LL001", f"there is no file or folder {target}", where=str(target), help="check the path")
    sets: dict[str, dict[str, Path]] = {}
    for entry in sorted(folder.iterdir()):
        found = NAME.fullmatch(entry.name)
        if found and only in (None, found["set"]):
            sets.setdefault(found["set"], {})[found["kind"].lower()] = entry
    if not sets:
        raise InputError("LL002", f"{target} holds no idx files", where=str(target), help=_NAMING)
    sides = [_side(name, files, folder) for name, files in sets.items()]
    sides.sort(key=lambda side: ("train", "val", "test", None).index(side.side))
    return open_arrays(str(target), sides, where=str(target))


def _named(target: Path) -> re.Match[str]:
    found = NAME.fullmatch(target.name)
    if not found:
        raise InputError("LL002", f"{target.name} is not named like an idx file", where=str(target), help=_NAMING)
    return found


def _side(name: str, files: dict[str, Path], folder: Path) -> Side:
    """One pair of images and labels."""
    title = name.strip("-_.") or folder.name
    if set(files) != {"images", "labels"}:
        there = next(iter(files.values()))
        lacking = "labels" if "images" in files else "images"
        code, digits = ("LL014", ("idx3", "idx1")) if lacking == "labels" else ("LL002", ("idx1", "idx3"))
        needed = there.name.replace(next(iter(files)), lacking).replace(*digits)
        raise InputError(code, f"{there.name} has no {lacking} beside it", where=str(folder), help=f"put {needed} there")
    pixels, labels = read_idx(files["images"]), read_idx(files["labels"])
    if pixels.ndim != 3 or labels.ndim != 1:
        raise _damaged(files["images"] if pixels.ndim != 3 else files["labels"], "holds an array of the wrong number of axes")
    if len(pixels) != len(labels):
        raise _damaged(files["labels"], f"holds {len(labels):,} labels for {len(pixels):,} images")
    side = next((side for word, side in _SIDES.items() if word in name.lower()), None)
    return Side(title, side, pixels[..., None], labels.astype(str))


def _damaged(path: Path, what: str) -> InputError:
    return InputError("LL039", f"{path.name} {what}", where=str(path), help="fetch the file again")
