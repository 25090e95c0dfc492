"""Whether dropout, or squares of weights in the loss, hold the network back: a replay without them beside one with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from leadline.doctor.evidence import Evidence, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.moment import Moment
from leadline.doctor.signals.learning import Learning
from leadline.doctor.surgery import asleep, without_dropout
from leadline.doctor.tape import Entry, Made, Script, Weight, marks_of
from leadline.doctor.twin import Twin

STEPS = 60
RIPE = 40  # steps before which a run may be slow for many reasons
STRONG = 0.45  # a dropout from which on it is worth a look; half is usual in old nets
HEAVY = 0.7  # a dropout that no published network uses
PATIENT = 300  # steps that less than it is given: a network with half of it dropped begins slowly, and that is no fault
LOSSES = (
    "cross_entropy",
    "nll_loss",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)


@dataclass(frozen=True)
class Regularised:
    """kind: dropout or penalty. rate: of the strongest dropout. where: its path. trial: losses of recorded batches in eval mode."""

    kind: str
    rate: float
    where: str
    trial: Trial
    now: float
    trivial: float | None
    steps: int


def measure(scene: Scene) -> Regularised | None:
    """None where nothing of the kind is strong, or the network learns well. Raises NotReplayable."""
    learning: Learning = Evidence(scene)["learning"]
    steps = len(scene.heard.steps)
    if steps < RIPE or len(scene.moments) < 4 or learning.verdict == "adversarial":
        return None
    level = learning.trivial if learning.trivial is not None else abs(learning.first)
    if learning.last < 0.5 * level or not math.isfinite(learning.last):
        return None
    drops = [(m.p, path) for path, m in scene.lab.model.named_modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.training]  # pyright: ignore[reportPrivateUsage]
    strongest = max(drops, default=(0.0, ""))
    if strongest[0] >= (STRONG if steps >= PATIENT else HEAVY):
        return _tried(scene, learning, "dropout", strongest, _no_dropout, None)
    if _penalised(scene.first.script):
        return _tried(scene, learning, "penalty", (0.0, ""), _nothing, _without_penalty)
    return None


def _tried(scene: Scene, learning: Learning, kind: str, strongest: tuple[float, str], control: Any, change: Any) -> Regularised:
    train, judge = scene.moments[::2], [_data_part(asleep(moment)) for moment in scene.moments[1::2]]
    plain, free = scene.lab.at_start(), scene.lab.at_start()
    control(free)
    as_is = _curve(scene, plain, train, judge, None)
    without = _curve(scene, free, train, judge, change)
    now = scene.lab.mean_loss(scene.lab.now(), judge)
    words = "dropout off" if kind == "dropout" else "the penalty on weights off"
    return Regularised(kind, *strongest, Trial(words, as_is, without), now, learning.trivial, learning.steps)


def _curve(scene: Scene, twin: Twin, train: list[Moment], judge: list[Moment], change: Any) -> Curve:
    before = scene.lab.mean_loss(twin, judge)
    run = scene.lab.curve(twin, train, steps=STEPS, change=change, seconds=2.0)
    return Curve(before, scene.lab.mean_loss(twin, judge), run.losses, run.steps)


def _no_dropout(twin: Twin) -> None:
    without_dropout(twin)


def _nothing(_twin: Twin) -> None:
    return None


def _data_part(moment: Moment) -> Moment:
    """The step up to its loss function: what comes after (penalties, scalings) is left out, so that runs with and without compare."""
    entries = moment.script.entries
    last = next((n for n in range(len(entries) - 1, -1, -1) if entries[n].kind == "op" and entries[n].name in LOSSES), None)
    if last is None:
        return moment

    end = Entry("backward", "backward", None, (Made(last, 0), None), {}, True, None)
    return replace(moment, script=Script((*entries[: last + 1], end), None), scaled=None)


def _penalised(script: Script) -> bool:
    """Whether weights themselves enter the loss, beside what the network makes of them."""
    return any(
        entry.kind == "op" and entry.name in ("pow", "norm", "square", "abs", "mul", "vector_norm", "__pow__") and marks_of(entry, Weight)
        for entry in script.entries
    )


def _without_penalty(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Weights that the loss uses directly pass no gradient."""
    if entry.kind != "op" or not marks_of(entry, Weight):
        return args, kwargs
    return tuple(arg.detach() if isinstance(arg, nn.Parameter) else arg for arg in args), kwargs
