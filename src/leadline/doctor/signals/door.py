"""Which door was taken, and whether the training is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leadline.doctor.evidence import Scene


@dataclass(frozen=True)
class Door:
    """name: "watch" (the user's own loop) or "check" (a short trial on a copy). ended: no more steps will come."""

    name: Literal["watch", "check"]
    ended: bool


def measure(scene: Scene) -> Door:
    """Always there."""
    return Door(scene.door, scene.ended)
