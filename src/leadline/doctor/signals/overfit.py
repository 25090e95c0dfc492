"""Validation losses pass by pass beside the training losses of the same time: has the one turned up while the other falls?"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.moment import EvalPass

PASSES = 4  # fewer show no turn
AFTER = 2  # passes after the best, all of them above it


@dataclass(frozen=True)
class Overfit:
    """Means of each validation pass, and of the training losses just before it. best: the number of the pass with the lowest loss.

    rise: from there to the mean of the latest AFTER passes; fall: from the first training losses to the best; noise: of neighbouring
    passes before the best and after it, by what they jump beyond the trend. train_fall: share that training losses fell since the best.
    """

    validation: tuple[float, ...]
    training: tuple[float, ...]
    steps: tuple[int, ...]
    best: int
    rise: float
    fall: float
    noise: float
    train_fall: float

    @property
    def since(self) -> int:
        """Passes since the best one."""
        return len(self.validation) - 1 - self.best


def measure(scene: Scene) -> Overfit:
    """Raises NotExamined where too few comparable passes were heard."""
    curve = Evidence(scene)["loss_curve"]
    passes = [each for each in scene.heard.evals if each.values and each.after_step > 0]
    usual = statistics.mode(_kind(each) for each in passes) if passes else None
    passes = [each for each in passes if _kind(each) == usual]
    if len(passes) < PASSES:
        raise NotExamined(f"{len(passes)} validation passes with a loss were heard, and a turn shows in {PASSES}")
    validation = [sum(float(value) for value in each.values) / len(each.values) for each in passes]
    steps = [each.after_step for each in passes]
    values = curve.values
    training = [statistics.fmean(values[max(0, before) : step] or values[:1]) for before, step in zip([0, *steps], steps, strict=False)]
    if not all(math.isfinite(value) for value in (*validation, *training)):
        raise NotExamined("losses are not finite")
    best = min(range(len(validation)), key=lambda number: validation[number])
    rise = statistics.fmean(validation[-AFTER:]) - validation[best]
    bends = [abs(a - 2 * b + c) for a, b, c in zip(validation, validation[1:], validation[2:], strict=False)]
    noise = statistics.median(bends) / 2.0  # a second difference of independent noise is 2.4 times its spread
    train_fall = (training[best] - training[-1]) / max(abs(training[best]), 1e-12)
    return Overfit(tuple(validation), tuple(training), tuple(steps), best, rise, values[0] - validation[best], noise, train_fall)


def _kind(each: EvalPass) -> tuple[str, int]:
    """What makes passes comparable: the same loss function over as many batches."""
    return (each.calls[0].name if each.calls else "", len(each.values))
