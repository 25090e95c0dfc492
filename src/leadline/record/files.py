"""Whole files are written aside, synced and renamed: a reader sees the old file or the new one, never a half."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from leadline.base.errors import InputError, LeadlineError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # EFBIG: the shell's or the batch system's file-size limit, the same to the user
ASIDE = re.compile(r"\.tmp-.+-\d+")
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


@contextmanager
def storing(path: Path) -> Generator[None]:
    """Turn the system's "no" while writing at `path` into our errors: LL008 when there is no room, LL007 when it is not allowed."""
    try:
        yield
    except OSError as error:
        raise refusal(error, path) from error


def refusal(error: OSError, path: Path, *, kind: type[LeadlineError] = LeadlineError) -> Exception:
    """The error a user reads for a failed write at `path`; other errors of the system come back as they are."""
    if error.errno in FULL:
        free = f"{free_bytes(path) / 1e6:,.0f} MB free"
        what = f"disk full: {path.name} could not be written ({os.strerror(error.errno or 0)}; {free})"
        help = "make room, then `leadline resume` goes on from the last good state; or choose another disk with --out"
        return kind("LL008", what, where=str(path), help=help)
    if error.errno in CLOSED:
        reason = os.strerror(error.errno or 0).lower()
        return InputError("LL007", f"{path} cannot be written: {reason}", where=str(path.parent), help="choose another folder with --out")
    return error


def free_bytes(path: Path) -> int:
    """Room left for the user on the disk that holds `path`, or would hold it."""
    standing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(standing).free


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file so that a kill or a power cut at any moment leaves the old one or the new one.

    Written under a `.tmp-` name in the same folder, synced, renamed, and the folder synced. The mode is what the umask gives.
    Raises LeadlineError LL008 (no room; the old file stands) or InputError LL007 (not allowed).
    """
    aside = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    with storing(path):
        try:
            with aside.open("wb") as file:
                file.write(data)
                sync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                aside.unlink()
            raise
        sync_folder(path.parent)


def clear_asides(folder: Path) -> None:
    """Remove what killed writes left beside their files, in `folder` and below; only by the process that holds the run."""
    for path in folder.rglob(".tmp-*"):
        if ASIDE.fullmatch(path.name) and path.is_file():
            path.unlink()


def append(path: Path, data: bytes) -> None:
    """Add `data` at the end of a file in one write. Raises LeadlineError LL008, and then nothing of it was added."""
    with storing(path), path.open("ab", buffering=0) as file:
        append_all(file.fileno(), data)


def append_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` at the end of an open file, or, when the disk refuses, cut the file back to where it ended before."""
    before = os.fstat(descriptor).st_size
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        if os.fstat(descriptor).st_size > before:
            os.ftruncate(descriptor, before)
        raise


def sync(descriptor: int) -> None:
    """Wait until the file's bytes are on the disk."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # on macOS fsync stops at the drive's cache
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the folder's entries (new names, renames) are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_json(value: Any, *, name: str) -> bytes:
    """Indented JSON with a newline at the end; numpy numbers and arrays become plain ones.

    name: the file, for the message. Raises ValueError for NaN or infinity, naming the key: JSON has no word for them, and null would
    hide them.
    """
    try:
        return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n").encode()
    except ValueError as error:
        where = ", ".join(f"{key} = {number}" for key, number in _not_finite(value))
        raise ValueError(f"{name}: {where or error}; write null with a reason instead") from error


def _plain(value: Any) -> Any:
    import numpy as np  # only met when the value is numpy's, which is then imported already

    if isinstance(value, np.generic | np.ndarray):
        return cast(Any, value).tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _not_finite(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and value - value != 0:  # NaN and both infinities, and nothing else
        yield path, value
    elif isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            yield from _not_finite(item, f"{path}.{key}".strip("."))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(cast("list[Any]", value)):
            yield from _not_finite(item, f"{path}[{place}]")
