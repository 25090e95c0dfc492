"""Whether training begins again and again: weights set back, networks or optimizers made anew, their state lost on the way."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.heard import Heard
from leadline.doctor.lives import Jump, Life
from leadline.doctor.twin import bare

UNLIKE = 0.2  # cosine between matrices below which they have nothing in common: independent ones of 200 elements stay within 0.15
SPAN = 10  # losses before and after, that are compared


@dataclass(frozen=True)
class Restarts:
    """set_back: steps before which the weights were exactly those of the start, or of an earlier set-back. reinitialised: steps before
    which they were drawn anew. replaced: steps at which an optimizer of another network of the same shapes began, and the watched one got
    no step any more. rebuilt: steps at which a new, empty optimizer took over the same parameters. Each only where one pass over the data
    at most lies between two of them (folds and restarts of several epochs are no accident), and they came twice at least.
    """

    set_back: tuple[int, ...]
    reinitialised: tuple[int, ...]
    replaced: tuple[int, ...]
    rebuilt: tuple[int, ...]
    has_state: bool
    same_rates: bool


def measure(scene: Scene) -> Restarts:
    """Raises NotExamined before the second epoch can have begun."""
    heard = scene.heard
    lives = heard.lives
    if not lives.jumps and not lives.lives:
        raise NotExamined("weights and optimizer were left alone between the steps")
    jumps = [jump for jump in lives.jumps if not _is_habit(lives.jumps, jump)]
    back = _each_pass([j for j in jumps if j.same_as is not None])
    back = back if len(back) > 2 or any(j.same_as == "start" for j in jumps) else ()  # the best weights may be loaded twice in a row
    drawn = _each_pass([j for j in jumps if j.same_as is None and j.likeness is not None and abs(j.likeness) < UNLIKE])
    rebuilt = [life for life in lives.lives if life.ours and life.fresh and life.ours == life.all == _num_optimised(heard)]
    return Restarts(
        back, drawn, _replaced(scene), _each_pass(rebuilt), any(o.state for o in heard.optimizers), _are_same_rates(heard, rebuilt)
    )  # fmt: skip


def _each_pass(events: list[Any]) -> tuple[int, ...]:
    """Steps of the events, where there are two at least and a pass over the data at most lies between them."""
    close = [b for a, b in itertools.pairwise(events) if b.passes - a.passes == 1]
    if len(events) < 2 or len(close) < len(events) - 1:
        return ()
    return tuple(event.step for event in events)


def _is_habit(jumps: list[Jump], jump: Jump) -> bool:
    """After every step the same thing: clipped weights, a projection."""
    near = {other.step for other in jumps}
    return jump.step - 1 in near and jump.step + 1 in near


def _num_optimised(heard: Heard) -> int:
    return sum(len(group["params"]) for group in heard.optimizers[0].param_groups)


def _replaced(scene: Scene) -> tuple[int, ...]:
    """Other networks of the same shapes that are stepped in turn, one after the other, while the watched one stands."""
    heard = scene.heard
    mine = hash(tuple(sorted(tuple(p.shape) for p in bare(scene.model).parameters() if p.requires_grad)))
    others: list[Life] = [life for life in heard.lives.lives if not life.ours and life.shapes == mine and life.steps]
    if len(others) < 2 or others[0].step != len(heard.steps):
        return ()
    between = [b.passes - a.passes for a, b in itertools.pairwise(others)]
    return tuple(life.step for life in others) if all(gap == 1 for gap in between) else ()


def _are_same_rates(heard: Heard, rebuilt: list[Life]) -> bool:
    """Whether each new optimizer began at the same learning rate: a sweep tries other ones."""
    return bool(rebuilt) and len({life.lrs for life in rebuilt}) == 1
