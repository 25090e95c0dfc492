"""Whether graphs of steps long done are still alive: somebody holds a tensor of theirs."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene

OLD = 20  # steps after which a step's graph has no business any more: the loop's own variables hold the last one or two
FEW = 3  # graphs


@dataclass(frozen=True)
class GraphsKept:
    """living: recorded steps at least OLD steps back whose loss's graph is alive. watched: how many such steps there are. passes: how often
    the training loader was begun since the oldest of them. steps: so far.
    """

    living: tuple[int, ...]
    watched: int
    passes: int
    steps: int


def measure(scene: Scene) -> GraphsKept:
    """Raises NotExamined before there are enough old steps."""
    lives, done = scene.heard.lives, len(scene.heard.steps)
    old = [step for step in lives.graph_steps if step <= done - OLD]
    if len(old) < FEW:
        raise NotExamined("no step is long enough ago")
    if sum(step <= done - OLD for step in lives.living_graphs) >= FEW:
        gc.collect()  # a graph in a reference cycle is nobody's: the collector just has not come by yet
    living = tuple(step for step in lives.living_graphs if step <= done - OLD)
    begun = lives.passes_of.get(living[0], lives.passes) if living else lives.passes
    return GraphsKept(living, len(old), lives.passes - begun, done)
