"""How much of the steps' time went by waiting for batches."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene

STEPS = 20  # fewer would be the loader's warm-up


@dataclass(frozen=True)
class Waiting:
    """share: of the time of a step, by medians. wait_s, step_s: medians."""

    share: float
    wait_s: float
    step_s: float


def measure(scene: Scene) -> Waiting:
    """Raises NotExamined where no torch DataLoader was heard, or too few steps."""
    steps = [step for step in scene.heard.steps[5:] if not step.recorded and step.loader is not None]
    if len(steps) < STEPS:
        raise NotExamined("too few steps whose batches came from a torch DataLoader")
    wait, whole = statistics.median(s.wait_s for s in steps), statistics.median(s.seconds for s in steps)
    return Waiting(wait / max(whole, 1e-9), wait, whole)
