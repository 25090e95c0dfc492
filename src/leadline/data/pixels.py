"""Opened pictures: in one array (a set that comes as arrays), or as files that are decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np

from leadline.base.errors import InputError
from leadline.data import decode, perceptual
from leadline.data.packed import Packed
from leadline.data.scan import SCAN_SIDE, Scan
from leadline.data.source import Examples
from leadline.record.facts import Facts


class Pictures(Sequence[np.ndarray]):
    """Pictures that are decoded one by one as they are asked for, so that a thousand large photos need the memory of one.

    channels: 1 or 3, or None for as found. Items are uint8 (H, W, channels); raises InputError LL003 for one that cannot be read.
    """

    def __init__(self, packed: Packed, indices: Sequence[int] | np.ndarray | None = None, *, channels: int | None = None) -> None:
        self.packed = packed
        self.indices = np.arange(len(packed)) if indices is None else np.asarray(indices)
        self.channels = channels

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Pictures: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Pictures:
        if isinstance(index, slice):
            return Pictures(self.packed, self.indices[index], channels=self.channels)
        return self.read(index)

    def read(self, index: int, *, short_side: int | None = None) -> np.ndarray:
        """One picture; with `short_side` a large JPEG may come at 1/2, 1/4 or 1/8 size, never below that many pixels."""
        place = int(self.indices[index])
        try:
            pixels = decode.decode(self.packed.read(place), short_side=short_side).pixels
        except decode.Unreadable as error:
            title = self.packed.title(place)
            raise InputError(
                "LL003", f"{title} {error.reason}", where=title, help="repair or remove it; `leadline look` finds all of them"
            ) from None
        return pixels if self.channels is None else decode.with_channels(pixels, self.channels)


@dataclass(frozen=True, eq=False)
class ArrayImages(Examples):
    """Pictures of one size in one uint8 array (N, H, W, C); `fetch` gives a slice of it."""

    facts: Facts
    names: Sequence[str]
    targets: np.ndarray | None
    given_split: np.ndarray | None
    pixels: np.ndarray

    def fetch(self, indices: np.ndarray) -> np.ndarray:
        return self.pixels[indices]

    @cached_property
    def _hashes(self) -> np.ndarray:
        return np.array([decode.content_hash(picture) for picture in self.pixels], np.uint64)

    @cached_property
    def _near(self) -> np.ndarray:
        blocks = np.array_split(self.pixels, len(self.pixels) // 4096 + 1)
        return np.concatenate([perceptual.near_hash(perceptual.thumbnails(block)) for block in blocks])

    def content_hashes(self) -> np.ndarray:
        return self._hashes

    def near_hashes(self) -> np.ndarray:
        return self._near


@dataclass(frozen=True, eq=False)
class PackedImages(Examples):
    """Pictures that all passed the scan; small sets keep their pixels, others are decoded when fetched.

    scan: of what is in `packed`; example i is scan.kept[i] there. columns: further columns of a label file, each (N,).
    """

    facts: Facts
    names: Sequence[str]
    targets: np.ndarray | None
    given_split: np.ndarray | None
    packed: Packed
    scan: Scan
    columns: dict[str, np.ndarray]
    left_out: tuple[tuple[str, str], ...] = ()

    @cached_property
    def channels(self) -> int:
        """1 when no picture has colour, else 3."""
        return 1 if bool(self.scan.grey.all()) else 3

    def fetch(self, indices: np.ndarray) -> Sequence[np.ndarray]:
        if self.scan.pixels is not None:
            return [decode.with_channels(self.scan.pixels[i], self.channels) for i in indices]
        return Pictures(self.packed, self.scan.kept[indices], channels=self.channels)

    def content_hashes(self) -> np.ndarray:
        return self.scan.hashes

    def near_hashes(self) -> np.ndarray | None:
        return self.scan.near

    def thumbnails(self, indices: np.ndarray) -> np.ndarray:
        pictures = self.fetch(indices)
        if not isinstance(pictures, Pictures):
            return perceptual.thumbnails(pictures)
        with decode.quiet():
            return np.stack([perceptual.thumbnail(pictures.read(i, short_side=SCAN_SIDE)) for i in range(len(pictures))])

    def column(self, name: str) -> np.ndarray:
        if name in self.columns:
            return self.columns[name]
        there = f"there are: {', '.join(self.columns)}" if self.columns else "class folders have no columns; a label file brings them"
        raise InputError("LL017", f"there is no column '{name}' beside the pictures", where=self.facts.name, help=there)

    def excluded(self) -> Sequence[tuple[str, str]]:
        return self.left_out
