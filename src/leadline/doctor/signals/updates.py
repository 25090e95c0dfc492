"""Whether backward passes ever become an update: steps that never come, come from elsewhere, or come with empty gradients."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.heard import Heard

MANY = 256  # backward passes into one step: larger accumulations are not known


@dataclass(frozen=True)
class Updates:
    """backwards: passes since the last step (or since the start). steps: optimizer steps so far. thrown_away: gradients of those passes
    were zeroed and never used. elsewhere: kind of an optimizer that steps instead, whose tensors never had a gradient. emptied: recorded
    steps at which every gradient was zero or gone, and zero_grad was heard between the backward pass and the step. epochs: passes over
    the loader since the last step. ended: no step will come any more.
    """

    backwards: int
    steps: int
    thrown_away: bool
    elsewhere: str | None
    emptied: tuple[int, ...]
    recorded: int
    epochs: int
    ended: bool


def measure(scene: Scene) -> Updates:
    """Raises NotExamined where another optimizer or a scaler decides about the steps."""
    heard = scene.heard
    if heard.scaler is not None and not heard.steps:
        raise NotExamined("a GradScaler decides which steps are taken")
    others = [life for life in heard.lives.lives if life.ours == 0 and life.steps]
    if heard.backwards_since_step and any(life.fed for life in others):
        raise NotExamined("another network is trained in between: its steps cannot be told from this one's")
    kind = next((life.kind for life in others if not life.fed and life.steps > 2), None)
    emptied = tuple(gauge.step for gauge in heard.gauges if _is_emptied(heard, gauge.step))
    thrown = "Z" in "".join(heard.now.events).strip("Z")  # zeroed between passes, not only before the first
    return Updates(
        heard.backwards_since_step, len(heard.steps), thrown, kind, emptied, len(heard.gauges), _epochs(heard), scene.ended
    )  # fmt: skip


def _is_emptied(heard: Heard, index: int) -> bool:
    step, gauge = heard.steps[index], next(g for g in heard.gauges if g.step == index)
    events = "".join(step.events).rstrip("S")
    after_backward = events.rpartition("B")
    order = bool(after_backward[1]) and "Z" in after_backward[2]
    return order and all(not norm for norm in gauge.grads)


def _epochs(heard: Heard) -> int:
    """A loader begun twice since the last step was gone through once at least."""
    return heard.lives.passes - heard.lives.passes_at_step
