"""The losses that training went through, one a step, and what they fell to."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from leadline.doctor.evidence import NotExamined, Scene


@dataclass(frozen=True)
class LossCurve:
    """values: the loss of each step (of its last backward pass). first, last: means over the first and the latest steps."""

    values: tuple[float, ...]
    first: float
    last: float
    noise: float

    @property
    def drop(self) -> float:
        """How far it fell, in units of its own noise."""
        return (self.first - self.last) / max(self.noise, 1e-12)


def measure(scene: Scene) -> LossCurve:
    """Raises NotExamined where no scalar loss was heard."""
    scene.heard.fetch()
    values = [float(step.losses[-1]) for step in scene.heard.steps if step.losses]
    if not values:
        raise NotExamined("no loss was heard at a backward pass")
    window = max(1, min(len(values) // 5, 50))
    first, last = values[:window], values[-window:]
    middle = torch.tensor(values, dtype=torch.float64)
    noise = float((middle[1:] - middle[:-1]).abs().median()) if len(values) > 2 else 0.0
    return LossCurve(tuple(values), sum(first) / len(first), sum(last) / len(last), noise)
