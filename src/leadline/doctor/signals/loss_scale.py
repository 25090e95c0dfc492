"""How large the loss that training follows is, against the mean over the batch of the same loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.loss_path import Comparison, LossPath

KEEP = True  # the code of the step does not change


@dataclass(frozen=True)
class LossScale:
    """factor: of the gradient, against that of the mean (a sum over 32 rows has 32; a mean divided by 100 has 0.01). loss: its name."""

    factor: float
    loss: str
    reduction: str
    step: int


def measure(scene: Scene) -> LossScale:
    """Raises NotExamined where no loss call tells it."""
    path: LossPath = Evidence(scene)["loss_path"]
    by_name: dict[tuple[str, str], float] = {}
    for call in path.comparisons:
        if call.name != "sub" and call.slope is not None:
            key = (call.name, call.reduction)
            by_name[key] = by_name.get(key, 0.0) + abs(call.slope) * (_rows(call) if call.reduction == "sum" else 1)
    if not by_name:
        raise NotExamined("no loss call was heard that gives one number")
    (loss, reduction), factor = max(by_name.items(), key=lambda item: item[1])
    factor /= scene.first.scaled or 1.0
    if not math.isfinite(factor) or factor == 0:
        raise NotExamined("the loss call has no weight in the total")
    return LossScale(factor, loss, reduction, path.step)


def _rows(call: Comparison) -> int:
    """What a mean would divide by: targets for class losses, numbers for others."""
    return max(1, math.prod(call.target))
