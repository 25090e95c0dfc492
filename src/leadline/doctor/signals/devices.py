"""Where the network computes, and whether the machine has something faster that it does not use."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.twin import bare


@dataclass(frozen=True)
class Devices:
    """accelerator: "cuda", "mps"..., or None. on: device types of the parameters.
    step_s: median seconds of a step. parameters: how many numbers.
    """

    accelerator: str | None
    on: tuple[str, ...]
    step_s: float
    parameters: int


def measure(scene: Scene) -> Devices:
    """Raises NotExamined before enough steps were timed."""
    steps = [step.seconds for step in scene.heard.steps[3:] if not step.recorded]
    if len(steps) < 5:
        raise NotExamined("too few steps were timed")
    kinds = tuple(sorted({p.device.type for p in bare(scene.model).parameters()}))
    size = sum(p.numel() for p in bare(scene.model).parameters())
    return Devices(_accelerator(), kinds, statistics.median(steps), size)


def _accelerator() -> str | None:
    found = torch.accelerator.current_accelerator(check_available=True)
    return None if found is None else found.type
