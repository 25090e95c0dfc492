"""One pass over pictures that learns all there is to know: readable or not, size, mode, oddities, hashes; pixels kept while few."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from leadline.data import decode, perceptual
from leadline.data.packed import Packed

SCAN_SIDE = 512
"""Large JPEGs are looked at reduced, down to this shorter side, pixels: it reads the file to its end and costs a third of the time."""
KEEP_BYTES = 256 * 2**20
"""Decoded pixels up to this size are kept from the scan, so that small sets are decoded only once."""
WHOLE_BYTES = 2 * 2**30
"""Folders up to this size are decoded whole (about 30 MB of JPEG a second and core); of larger ones headers and file ends are checked."""
_CHUNK = 32  # files per task: a task per file would cost more than a small file


@dataclass(frozen=True)
class Seen:
    """What one picture showed, or why it cannot be used."""

    reason: str | None = None
    hash: int = 0
    near: int = 0
    thumb: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    grey: bool = True
    oddities: tuple[str, ...] = ()
    pixels: np.ndarray | None = None


@dataclass(frozen=True)
class Scan:
    """All readable pictures (N), and the (title, reason) of those that are not.

    kept: (N,) their indices in what was scanned. hashes: (N,) uint64 of the content. near: (N,) uint64 perceptual, or None where all was
    too much to decode. sizes: (N, 2) width and height, upright. grey: (N,) without colour. oddities: name of the oddity to indices.
    pixels: uint8 pictures while few, else None.
    """

    kept: np.ndarray
    hashes: np.ndarray
    near: np.ndarray | None
    sizes: np.ndarray
    modes: dict[str, int]
    grey: np.ndarray
    oddities: dict[str, np.ndarray]
    pixels: list[np.ndarray] | None
    excluded: tuple[tuple[str, str], ...]


def scan(packed: Packed, *, whole_bytes: int = WHOLE_BYTES, keep_bytes: int = KEEP_BYTES) -> Scan:
    """Look at every picture once, several at a time; the same pictures give the same answer in every run."""
    whole = packed.total_bytes() <= whole_bytes
    look = _look_whole if whole else _look_headers
    chunks = [range(start, min(start + _CHUNK, len(packed))) for start in range(0, len(packed), _CHUNK)]
    with decode.quiet(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        seen = list(_keep_few(pool.map(lambda chunk: _hashed([look(packed, index) for index in chunk]), chunks), keep_bytes))
    return _gather(packed, seen, whole=whole)


def _keep_few(chunks: Iterable[list[Seen]], keep_bytes: int) -> Iterable[Seen]:
    """Pass on what was seen, and drop the pixels from the moment that they grow too many."""
    held = 0
    for chunk in chunks:
        for seen in chunk:
            held += seen.pixels.nbytes if seen.pixels is not None else 0
            yield seen if held <= keep_bytes else replace(seen, pixels=None)


def _hashed(chunk: list[Seen]) -> list[Seen]:
    """Perceptual hashes instead of thumbnails: a chunk at once, as most of the cost is per call."""
    places = [i for i, seen in enumerate(chunk) if seen.thumb is not None]
    hashes = perceptual.near_hash(np.array([chunk[i].thumb for i in places])) if places else ()
    for i, near in zip(places, hashes, strict=True):
        chunk[i] = replace(chunk[i], near=int(near), thumb=None)
    return chunk


def _look_whole(packed: Packed, index: int) -> Seen:
    """Decode one picture."""
    try:
        found = decode.decode(packed.read(index), short_side=SCAN_SIDE)
    except decode.Unreadable as error:
        return Seen(reason=error.reason)
    pixels = found.pixels
    reduced = pixels.shape[:2] != found.size[::-1]
    return Seen(
        hash=decode.content_hash(pixels),
        thumb=perceptual.thumbnail(pixels),
        size=found.size,
        mode=found.mode,
        grey=decode.grey_by_content(pixels),
        oddities=found.oddities,
        pixels=None if reduced else pixels,
    )


def _look_headers(packed: Packed, index: int) -> Seen:
    """Check one picture without decoding it; its content hash is that of its bytes."""
    try:
        data = packed.read(index)
        found = decode.inspect(data)
    except decode.Unreadable as error:
        return Seen(reason=error.reason)
    return Seen(
        hash=decode.bytes_hash(data), size=found.size, mode=found.mode, grey=found.mode in decode.GREY_MODES, oddities=found.oddities
    )


def _gather(packed: Packed, seen: list[Seen], *, whole: bool) -> Scan:
    good = [i for i, one in enumerate(seen) if one.reason is None]
    usable = [seen[i] for i in good]
    kinds = sorted({kind for one in usable for kind in one.oddities})
    keeps = all(one.pixels is not None for one in usable)
    return Scan(
        kept=np.array(good, np.int64),
        hashes=np.array([one.hash for one in usable], np.uint64),
        near=np.array([one.near for one in usable], np.uint64) if whole else None,
        sizes=np.array([one.size for one in usable], np.int64).reshape(-1, 2),
        modes=dict(sorted(Counter(one.mode for one in usable).items())),
        grey=np.array([one.grey for one in usable], bool),
        oddities={kind: np.flatnonzero([kind in one.oddities for one in usable]) for kind in kinds},
        pixels=[one.pixels for one in usable if one.pixels is not None] if keeps else None,
        excluded=tuple((packed.title(i), one.reason) for i, one in enumerate(seen) if one.reason is not None),
    )
