"""What is left of the gradient when the optimizer gets it: the first step's gradient done again, beside what was heard at the update."""

from __future__ import annotations

import math
from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene

KEEP = True


@dataclass(frozen=True)
class Throttle:
    """left: norm at the update as a share of backward's own, with clipping by norm (heard) taken into account. 1 where nothing is lost."""

    left: float
    given: float
    made: float


def measure(scene: Scene) -> Throttle:
    """Raises NotExamined where the first step was not recorded, or went another way on the copy; NotReplayable."""
    moment = scene.first
    gauge = next((gauge for gauge in scene.heard.gauges if gauge.step == moment.step), None)
    if gauge is None or moment.step != 0:
        raise NotExamined("the first update was not recorded")
    twin = scene.lab.at_start()
    losses = twin.gradients(moment)
    if not math.isclose(sum(losses), sum(moment.values), rel_tol=1e-3, abs_tol=1e-9):
        raise NotExamined("the first step went otherwise on the copy")
    grads = [p.grad for p in twin.model.parameters() if p.grad is not None]
    made = math.sqrt(sum(float(grad.double().pow(2).sum()) for grad in grads)) / (moment.scaled or 1.0)
    given = math.sqrt(sum(g * g for g in gauge.grads if g is not None))
    meant = min(made, moment.clip) if moment.clip is not None else made
    return Throttle(given / meant if meant > 0 else 1.0, given, made)
