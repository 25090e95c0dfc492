"""Loss spikes: steps whose loss stands far above its neighbours, against the noise of the loss itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from leadline.doctor.evidence import Evidence, Scene

WINDOW = 20  # steps before, whose median and spread a loss is held against
SPREADS = 12.0  # median absolute deviations: losses have heavy tails, and six are seen in healthy runs


@dataclass(frozen=True)
class Spikes:
    """steps: where the loss rose so far. sizes: in units of its own spread. recovered: whether the latest came back within WINDOW steps."""

    steps: tuple[int, ...]
    sizes: tuple[float, ...]
    recovered: bool

    @property
    def in_words(self) -> str:
        """One clause."""
        return f"the loss jumped at step {self.steps[0]} by {self.sizes[0]:.0f} times its own spread" if self.steps else "no spikes"


def measure(scene: Scene) -> Spikes:
    """Raises NotExamined where no loss was heard."""
    values: tuple[float, ...] = Evidence(scene)["loss_curve"].values
    steps: list[int] = []
    sizes: list[float] = []
    for place in range(WINDOW, len(values)):
        before = torch.tensor(values[place - WINDOW : place], dtype=torch.float64)
        middle = float(before.median())
        spread = float((before - middle).abs().median()) + 1e-3 * abs(middle)
        size = (values[place] - middle) / max(spread, 1e-12)
        if not math.isfinite(values[place]) or size > SPREADS:
            steps.append(place)
            sizes.append(size if math.isfinite(size) else math.inf)
    last = steps[-1] if steps else 0
    after = [v for v in values[last + 1 : last + 1 + WINDOW] if math.isfinite(v)]
    back = bool(after) and bool(steps) and min(after) <= max(values[max(0, last - WINDOW) : last], default=-math.inf)
    return Spikes(tuple(steps), tuple(sizes), back)
