"""Examples made in memory for the tests of splitting, storing and batching: real arrays behind the source contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from leadline.data.prepare import Preparer
from leadline.data.source import Examples
from leadline.record.facts import Facts
from leadline.record.ports import Images, Rows


class Made(Examples):
    """Rows of numbers, or images when `pixels` are given; content is what `content` says, else every example is its own."""

    def __init__(
        self,
        size: int,
        *,
        targets: np.ndarray | None = None,
        content: np.ndarray | None = None,
        columns: Mapping[str, np.ndarray] | None = None,
        given: np.ndarray | None = None,
        pixels: np.ndarray | None = None,
    ) -> None:
        is_classes = targets is not None and targets.dtype.kind in "UO"
        kind = None if targets is None else "classes" if is_classes else "numbers"
        self.facts = Facts(kind="table" if pixels is None else "images", name="made", num_examples=size, target_kind=kind)
        self.names = [f"row {number}" for number in range(1, size + 1)]
        self.targets, self.given_split, self.pixels = targets, given, pixels
        self.content = np.arange(size).astype(np.uint64) if content is None else content.astype(np.uint64)
        self.columns = columns or {}

    def fetch(self, indices: np.ndarray) -> Any:
        if self.pixels is not None:
            return [self.pixels[index] for index in indices]
        return np.stack([indices, indices**2 % 97], axis=1)

    def content_hashes(self) -> np.ndarray:
        return self.content

    def column(self, name: str) -> np.ndarray:
        return self.columns[name] if name in self.columns else super().column(name)


class MadeImages(Preparer):
    """Pixels to (B, C, H, W) uint8 and, for the model, to numbers around zero."""

    kind = "made_images"

    def __init__(self, channels: int, side: int) -> None:
        self.gives = Images(channels, side, side)

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: Any) -> MadeImages:
        raise NotImplementedError

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        return (np.ascontiguousarray(np.stack(raw).transpose(0, 3, 1, 2)),)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(part.to(torch.float32).sub_(128).div_(64) for part in stored)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> MadeImages:
        raise NotImplementedError


class MadeRows(MadeImages):
    """Two numbers and one category of each row."""

    kind = "made_rows"

    def __init__(self) -> None:
        self.gives = Rows(2, (7,))

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        return raw.astype(np.float32) / 50, raw[:, :1].astype(np.int64) % 7

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return stored


def pictures(size: int, *, channels: int = 3, side: int = 8) -> Made:
    """Random pictures, all different, of classes a, b and c in turn."""
    pixels = np.random.default_rng(0).integers(0, 256, (size, side, side, channels), dtype=np.uint8)
    return Made(size, targets=np.array(["a", "b", "c"])[np.arange(size) % 3], pixels=pixels)
