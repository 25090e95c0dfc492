"""Steps before which an optimizer lost its state though training went on: emptied, or one like it built anew; and what the loss did
then."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.heard import Heard

SPAN = 10  # losses before and after that are compared
SPREADS = 3.0  # of the loss, by its median absolute deviation


@dataclass(frozen=True)
class StateLost:
    """step: the first such. how: "emptied" (the same optimizer's state was cleared) or "rebuilt" (a new one of the same kind took over).
    rate
    before and after it; losses: medians before and after; jumped: the loss rose beyond its own spread.
    """

    step: int
    how: str
    rate_before: float
    rate_after: float
    loss_before: float
    loss_after: float
    jumped: bool


def measure(scene: Scene) -> StateLost:
    """Raises NotExamined where no state was lost, or too few steps came after."""
    heard = scene.heard
    found = [(step, "emptied") for step in heard.lives.emptied] + [(step, "rebuilt") for step in _rebuilt(heard)]
    if not found:
        raise NotExamined("the optimizer kept its state")
    step, how = min(found)
    heard.fetch()
    losses = [float(s.losses[-1]) for s in heard.steps if s.losses]
    before, after = losses[max(0, step - SPAN) : step], losses[step : step + SPAN]
    if len(before) < 5 or len(after) < 5:
        raise NotExamined("too few steps since the state was lost")
    middle = statistics.median(before)
    spread = statistics.median(abs(value - middle) for value in before)
    rates = (heard.steps[step - 1].lrs[0], heard.steps[step].lrs[0])
    worst = statistics.median(after)
    return StateLost(step, how, *rates, middle, worst, worst > middle + SPREADS * max(spread, 0.01 * abs(middle)))


def _rebuilt(heard: Heard) -> list[int]:
    """Where a new optimizer of the same kind took over exactly the same parameters, later than at the start."""
    lives = [life for life in heard.lives.lives if life.ours and life.fresh and life.step > 0]
    number = sum(len(group["params"]) for group in heard.optimizers[0].param_groups)
    kind = type(heard.optimizers[0]).__name__
    return [life.step for life in lives if life.ours == life.all == number and life.kind == kind]
