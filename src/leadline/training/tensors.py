"""Tensors on disk: one safetensors file, written a tensor at a time, hashed and checked for finite numbers on the way.

The library's reader reads it. Its writer is not used because it writes without fsync and with mode 0600, hides the system's error number,
refuses shared and channels-last tensors, and would need a second pass for the hash.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file

from leadline.record.files import sync

NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.complex64: "C64",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
STRIDES = "strides"


@dataclass(frozen=True)
class Written:
    """A file as it was handed to the disk. size in bytes; sha256 in hex; finite: no NaN and no +inf (masks rightly hold -inf)."""

    size: int
    sha256: str
    finite: bool = True


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> Written:
    """Write dense tensors of any device, shape, layout and sharing to a new file and wait until it is on the disk.

    Raises OSError as the system gives it, TypeError for a tensor that has no safetensors form (sparse, quantised, complex128).
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # widest first keeps every tensor aligned
    finite, digest = True, hashlib.sha256()
    with path.open("xb") as file:
        _put(file, _header({name: tensors[name] for name in order}), digest)
        for name in order:
            plain = tensors[name].detach().to("cpu").contiguous()
            finite = finite and is_finite(plain)
            _put(file, plain.reshape(-1).view(torch.uint8).numpy().data, digest)
        file.flush()
        sync(file.fileno())
        return Written(file.tell(), digest.hexdigest(), finite)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, on the CPU, equal in bits, shape, type and memory layout. Check the hash first: the format itself has none."""
    strides = _metadata(path).get(STRIDES, "{}")
    tensors = load_file(path)
    for name, stride in json.loads(strides).items():
        flat = tensors[name]
        tensors[name] = torch.empty_strided(flat.shape, stride, dtype=flat.dtype).copy_(flat)
    return tensors


def is_finite(tensor: torch.Tensor) -> bool:
    """No NaN and no +inf. -inf passes, since attention masks are made of it; one pass, a thirtieth of the time of `isfinite().all()`."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    wide = tensor.float() if tensor.element_size() == 1 else tensor  # 8-bit floats have no minimum
    largest = float(torch.aminmax(wide).max)  # NaN wins over every number
    return not math.isnan(largest) and largest != math.inf


def _put(file: BinaryIO, data: bytes | memoryview, digest: Any) -> None:
    file.write(data)
    digest.update(data)


def _header(tensors: dict[str, torch.Tensor]) -> bytes:
    """Eight bytes of length and the JSON table of contents, padded with blanks to eight bytes."""
    table: dict[str, object] = {}
    strides = {name: tensor.stride() for name, tensor in tensors.items() if _is_dense_but_permuted(tensor)}
    if strides:
        table["__metadata__"] = {STRIDES: json.dumps(strides)}
    start = 0
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.dtype not in NAMES:
            raise TypeError(f"{name}: a {tensor.layout} tensor of {tensor.dtype} has no safetensors form")
        end = start + tensor.numel() * tensor.element_size()
        table[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _is_dense_but_permuted(tensor: torch.Tensor) -> bool:
    """Channels-last and transposed tensors: all elements, no gaps, another order. The optimizer's state must come back in that order."""
    if tensor.is_contiguous() or tensor.layout != torch.strided:
        return False
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)).get("__metadata__", {})
