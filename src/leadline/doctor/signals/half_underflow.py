"""Gradients that are exactly zero in float16 and are not in float32: a recorded step done both ways, and then some steps of each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Script
from leadline.doctor.twin import Twin

STEPS = 20


@dataclass(frozen=True)
class HalfUnderflow:
    """lost: share of gradient elements that are 0 in half precision and not in float32. worst: the tensor that loses most, and its "
    "share."""

    lost: float
    worst: tuple[str, float]
    trial: Trial | None


def measure(scene: Scene) -> HalfUnderflow:
    """Raises NotExamined where no float16 without loss scaling is at work; NotReplayable."""
    moment = scene.last
    if not any(_is_half(entry.autocast) for entry in moment.script.entries):
        raise NotExamined("no step was computed in float16")
    if (moment.scaled or 1.0) > 1:
        raise NotExamined("the loss is scaled")
    lost, worst = _lost(scene, moment)
    trial = _trial(scene) if lost > 0.2 else None
    return HalfUnderflow(lost, worst, trial)


def in_float32(moment: Moment) -> Moment:
    """The recorded step without autocast."""
    entries = tuple(replace(entry, autocast=None) for entry in moment.script.entries)
    return replace(moment, script=Script(entries, moment.script.problem))


def _is_half(autocast: tuple[str, torch.dtype] | None) -> bool:
    return autocast is not None and autocast[1] == torch.float16


def _lost(scene: Scene, moment: Moment) -> tuple[float, tuple[str, float]]:
    half, full = scene.lab.now(), scene.lab.now()
    half.gradients(moment)
    full.gradients(in_float32(moment))
    gone, known, worst = 0.0, 0.0, ("", 0.0)
    for (name, one), (_, other) in zip(half.model.named_parameters(), full.model.named_parameters(), strict=True):
        if one.grad is None or other.grad is None:
            continue
        alive = other.grad != 0
        zero = float((alive & (one.grad == 0)).sum())
        number = float(alive.sum())
        gone, known = gone + zero, known + number
        worst = max(worst, (name, zero / max(number, 1.0)), key=lambda pair: pair[1])
    return gone / max(known, 1.0), worst


def _trial(scene: Scene) -> Trial:
    moments = [moment for moment in scene.moments if moment.script.problem is None]
    plain = [in_float32(moment) for moment in moments]
    before = scene.lab.mean_loss(scene.lab.at_start(), plain)
    curves = [_curve(scene, scene.lab.at_start(), each, plain, before) for each in (moments, plain)]
    return Trial("float32", curves[0], curves[1])


def _curve(scene: Scene, twin: Twin, moments: list[Moment], plain: list[Moment], before: float) -> Curve:
    losses: list[float] = []
    for number in range(STEPS):
        losses.append(sum(twin.step(moments[number % len(moments)])))
        if not math.isfinite(losses[-1]):
            break
    return Curve(before, scene.lab.mean_loss(twin, plain), tuple(losses), len(losses))
