"""Whether the network can learn one recorded batch by heart: the oldest test of all (Karpathy 2019), on a copy of the start."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Literal

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.moment import Moment
from leadline.doctor.surgery import without_dropout
from leadline.doctor.twin import Twin

KEEP = True
STEPS = 200
SECONDS = 2.0  # for all learning rates together
FACTORS = (1.0, 5.0, 0.2)  # of the learning rate: one of them suits most set-ups that can learn at all
GOOD = 0.1  # of what a constant answer loses on this batch: then most of it is known by heart
ENOUGH = 0.01  # of the start: nothing more to learn


@dataclass(frozen=True)
class OneBatch:
    """answer: yes where the loss fell below a tenth of what a constant answer loses (or of the start). best: loss, and with which rate."""

    answer: Literal["yes", "no"]
    start: float
    best: float
    target: float
    steps: int
    factor: float

    @property
    def in_words(self) -> str:
        """The numbers in a clause."""
        rate = "" if self.factor == 1 else f" with {self.factor:g} times the learning rate"
        return f"one batch of the training data: loss {self.start:.4g} -> {self.best:.4g} in {self.steps} steps{rate}"

    def to_dict(self) -> dict[str, Any]:
        """As checks.json has it."""
        return {"start": self.start, "best": self.best, "wanted": self.target, "steps": self.steps, "learning_rate_factor": self.factor}


def measure(scene: Scene) -> OneBatch:
    """Raises NotExamined where there is no plain loss; NotReplayable."""
    try:
        learning = Evidence(scene)["learning"]
    except NotExamined:
        learning = None
    if learning is not None and learning.verdict == "adversarial":
        raise NotExamined("two networks train against each other: one batch cannot be learnt by heart")
    return learn(scene, scene.lab.at_start(), seconds=SECONDS, trivial=None if learning is None else learning.trivial)


def learn(scene: Scene, start: Twin, *, seconds: float, trivial: float | None) -> OneBatch:
    """Train copies of `start` on the first recorded batch, with a few learning rates, until one knows it."""
    moment = scene.first
    without_dropout(start)
    begins = start.again().loss(moment) / (moment.scaled or 1.0)
    if not math.isfinite(begins) or (begins <= 0 and trivial is None):
        raise NotExamined(f"the loss begins at {begins:.4g}, so no share of it says that a batch is known by heart")
    level = min(begins, trivial) if trivial is not None and trivial > 0 else begins
    found: list[tuple[float, int, float]] = []
    for number, factor in enumerate(FACTORS):
        found.append((*_train(start.again(), moment, factor, (begins * ENOUGH, level * GOOD), seconds / (number + 2)), factor))
        if found[-1][0] <= level * GOOD:
            break
    best, steps, factor = min(found)
    if best > level * GOOD and steps < 30:
        raise NotExamined(f"a step of this network takes too long to learn a batch by heart in {seconds:.0f} s")
    return OneBatch("yes" if best <= level * GOOD else "no", begins, best, level * GOOD, steps, factor)


def _train(twin: Twin, moment: Moment, factor: float, goals: tuple[float, float], seconds: float) -> tuple[float, int]:
    """(lowest loss, steps). It goes on after the second goal only while there is time to spare for a better number."""
    for optimizer in twin.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * factor
            if "weight_decay" in group:
                group["weight_decay"] = 0.0
    began, lowest = time.perf_counter(), math.inf
    for number in range(STEPS):
        value = sum(twin.step(moment))
        if not math.isfinite(value):
            return lowest, number + 1
        lowest = min(lowest, value)
        late = time.perf_counter() - began > seconds
        if late or lowest <= goals[0] or (lowest <= goals[1] and number > STEPS // 2):
            return lowest, number + 1
    return lowest, STEPS
