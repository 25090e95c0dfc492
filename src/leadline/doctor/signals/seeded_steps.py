"""Whether the training step sets the process's generator back: steps that draw, and begin to draw in the very same state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from leadline.doctor.evidence import Scene
from leadline.doctor.moment import Moment
from leadline.doctor.tape import RANDOM, Entry

STEPS = 3  # recorded steps in one state: a generator does not come round by itself


@dataclass(frozen=True)
class SeededSteps:
    """steps: recorded steps that drew from one and the same state of torch's generator (empty: none). what: what draws there."""

    steps: tuple[int, ...]
    what: str


def measure(scene: Scene) -> SeededSteps:
    """Empty where the steps draw nothing."""
    if len(scene.moments) < STEPS:
        return SeededSteps((), "")
    drawing = any(isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0 for m in scene.model.modules())  # pyright: ignore[reportPrivateUsage]
    states = [_state(moment, drawing=drawing) for moment in scene.moments]
    first = states[0]
    if first is None or not all(state is not None and torch.equal(state[0], first[0]) for state in states):
        return SeededSteps((), "")
    return SeededSteps(tuple(moment.step for moment in scene.moments), first[1])


def _state(moment: Moment, *, drawing: bool) -> tuple[torch.Tensor, str] | None:
    """The generator at the first draw of the step."""
    for entry in moment.script.entries:
        if entry.random is not None and _draws(entry, drawing=drawing):
            return entry.random, "dropout" if entry.kind == "call" else entry.name
    return None


def _draws(entry: Entry, *, drawing: bool) -> bool:
    if entry.kind == "call":
        return drawing and bool(entry.training)
    own = entry.kwargs.get("generator") if isinstance(entry.kwargs, dict) else None
    return own is None and entry.name.rstrip("_") in RANDOM and entry.name != "dropout"
