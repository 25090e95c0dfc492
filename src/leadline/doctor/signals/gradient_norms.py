"""Gradient norms of every parameter tensor on recorded steps: the record that the checklist asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from leadline.doctor.evidence import NotExamined, Scene


@dataclass(frozen=True)
class GradientNorms:
    """totals: norm over all tensors at each recorded step (`steps`). without: trainable tensors that never got a gradient."""

    steps: tuple[int, ...]
    totals: tuple[float, ...]
    latest: dict[str, float]
    without: tuple[str, ...]

    @property
    def answer(self) -> Literal["yes", "no"]:
        """Whether there is a finite norm of a gradient to log."""
        return "yes" if self.totals and all(math.isfinite(total) for total in self.totals) and any(self.totals) else "no"

    @property
    def in_words(self) -> str:
        """One line."""
        missing = f"; {len(self.without)} tensors got none" if self.without else ""
        size = f"{self.totals[0]:.3g} at first, {self.totals[-1]:.3g} at last"
        return f"norms of {len(self.latest)} tensors on {len(self.steps)} steps, {size}{missing}"

    def to_dict(self) -> dict[str, Any]:
        """For the plot."""
        return {"steps": list(self.steps), "norms": list(self.totals), "latest": self.latest, "without": list(self.without)}


def measure(scene: Scene) -> GradientNorms:
    """Raises NotExamined where no recorded step got as far as the optimizer."""
    gauges = scene.heard.gauges
    if not gauges:
        raise NotExamined("no recorded step reached the optimizer")
    totals = tuple(math.sqrt(sum(g * g for g in gauge.grads if g is not None)) for gauge in gauges)
    last = gauges[-1]
    latest = {name: g for name, g in zip(last.names, last.grads, strict=True) if g is not None}
    ever = {name for gauge in gauges for name, g in zip(gauge.names, gauge.grads, strict=True) if g is not None}
    return GradientNorms(tuple(gauge.step for gauge in gauges), totals, latest, tuple(name for name in last.names if name not in ever))
