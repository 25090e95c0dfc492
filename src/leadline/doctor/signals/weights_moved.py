"""Which trainable parameters are no longer what they were when the watching began, by samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from leadline.doctor.evidence import Scene
from leadline.doctor.gauge import sampled


@dataclass(frozen=True)
class WeightsMoved:
    """moved, still: names. A tensor is still where no sampled element (4,096 at most) changed at all."""

    moved: tuple[str, ...]
    still: tuple[str, ...]

    @property
    def any_moved(self) -> bool:
        """Whether anything did."""
        return bool(self.moved)


def measure(scene: Scene) -> WeightsMoved:
    """Compares with the samples of the start."""
    heard = scene.heard
    same = [torch.equal(sampled(p), start) for (_, p), start in zip(heard.named, heard.lives.start, strict=True)]
    names = [name for name, _ in heard.named]
    return WeightsMoved(
        tuple(n for n, is_same in zip(names, same, strict=True) if not is_same),
        tuple(n for n, is_same in zip(names, same, strict=True) if is_same),
    )
