"""Updates that half-precision weights round away: one step with float32 copies beside it, then training with such copies for some steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.moment import Moment
from leadline.doctor.twin import Twin, plain_step

TRIES = 2  # per training
LOW = (torch.bfloat16, torch.float16)
STEPS = 30
SETTLED = 8  # steps before the share is taken
SHARE = 0.5  # of elements: from here on most of what the optimizer wants is not done


@dataclass(frozen=True)
class Swallowed:
    """share: of elements that an update should move (as float32 copies move) and that stay as they are. dtype: of the weights."""

    share: float
    dtype: str
    tensors: int
    trial: Trial | None

    @property
    def goes_further(self) -> bool:
        """Whether float32 copies bring the loss a third further in the same steps: enough where the run as a whole does not learn."""
        return self.trial is not None and self.trial.with_control.drop > max(1.33 * self.trial.as_is.drop, 0.01)


def measure(scene: Scene) -> Swallowed:
    """Raises NotExamined where trainable weights are not in half precision; NotReplayable."""
    low = [p for _, p in scene.heard.named if p.dtype in LOW]
    if not low:
        raise NotExamined("the trainable weights are not in half precision")
    tries = scene.kept.get("swallowed_tries", 0)
    if tries >= TRIES and not scene.ended:
        raise NotExamined("this was tried before; once more at the end")
    scene.kept["swallowed_tries"] = tries + 1
    moments = _at_full_rate(scene)
    share = _share(_ready(scene), moments)
    trial = _trial(scene, moments) if share > SHARE else None
    return Swallowed(share, str(low[0].dtype).removeprefix("torch."), len(low), trial)


def _at_full_rate(scene: Scene) -> list[Moment]:
    """Recorded steps; the twins' learning rate is set to the largest that was used."""
    usable = [moment for moment in scene.moments if moment.script.problem is None]
    if not usable:
        raise NotExamined("no recorded step can be done again")
    return usable


def _ready(scene: Scene) -> Twin:
    """The start, at the largest rate that was used: a warm-up or a decay to zero rounds away without harm."""
    twin = scene.lab.at_start()
    rates = [max(step.lrs) for step in scene.heard.steps if step.lrs]
    for optimizer in twin.optimizers:
        largest = max(float(group["lr"]) for group in optimizer.param_groups)
        for group in optimizer.param_groups if largest > 0 and rates else []:
            group["lr"] = group["lr"] * max(rates) / largest
    return twin


def _share(twin: Twin, moments: list[Moment]) -> float:
    """At the last of a few steps with float32 copies: the first step of Adam is as long as its rate, those after it are shorter."""
    masters: dict[int, Tensor] = {}
    before: dict[int, Tensor] = {}
    for number in range(SETTLED):
        twin.gradients(moments[number % len(moments)])
        before = masters
        masters = step_with_masters(twin, masters, moments[number % len(moments)])
    stayed, meant = 0.0, 0.0
    for parameter in twin.model.parameters():
        new, old = masters.get(id(parameter)), before.get(id(parameter))
        if new is None or old is None:
            continue
        held = old.to(parameter.dtype)
        wanted = new != old
        stayed += float((wanted & ((held.float() + (new - old)).to(parameter.dtype) == held)).sum())
        meant += float(wanted.sum())
    return stayed / max(meant, 1.0)


def step_with_masters(twin: Twin, masters: dict[int, Tensor] | None, moment: Moment) -> dict[int, Tensor]:
    """One optimizer step on float32 copies of the half-precision weights, with the gradients that are there; weights get the rounded "
    "copies."""
    kept = dict(masters or {})
    optimised = [p for o in twin.optimizers for group in o.param_groups for p in group["params"]]
    low = [(p, p.dtype) for p in optimised if (p.grad is not None and p.dtype in LOW) or id(p) in kept]
    for parameter, dtype in low:
        grad = parameter.grad
        parameter.grad = None
        master = kept.get(id(parameter))
        parameter.data = (parameter.detach() if master is None else master).to(torch.float32, copy=True)
        parameter.grad = None if grad is None else grad.to(torch.float32)
        assert dtype in LOW
    if moment.clip is not None:
        torch.nn.utils.clip_grad_norm_(optimised, moment.clip)
    for optimizer in twin.optimizers:
        plain_step(optimizer)
    for parameter, dtype in low:
        kept[id(parameter)] = parameter.detach().clone()
        parameter.grad = None
        parameter.data = parameter.data.to(dtype)
    return kept


def _trial(scene: Scene, moments: list[Moment]) -> Trial:
    curves: list[Curve] = []
    for with_masters in (False, True):
        twin = _ready(scene)
        before = scene.lab.mean_loss(twin, moments)
        losses: list[float] = []
        masters: dict[int, Tensor] = {}
        for number in range(STEPS):
            moment = moments[number % len(moments)]
            if with_masters:
                losses.append(sum(twin.gradients(moment)) / (moment.scaled or 1.0))
                masters = step_with_masters(twin, masters, moment)
            else:
                losses.append(sum(twin.step(moment)))
            if not math.isfinite(losses[-1]):
                break
        curves.append(Curve(before, scene.lab.mean_loss(twin, moments), tuple(losses), len(losses)))
    return Trial("float32 copies of the weights", curves[0], curves[1])
