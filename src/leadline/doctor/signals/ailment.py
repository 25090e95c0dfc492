"""Which fault of start or signal flow keeps the network from learning: leads of the start, and the cure that beat the run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.moment import Moment
from leadline.doctor.signals.dependence import ties_rows
from leadline.doctor.signals.learning import Learning
from leadline.doctor.signals.start_signs import StartSigns
from leadline.doctor.surgery import add_skips, calm, rectified, unit_scale
from leadline.doctor.twin import Twin

STEPS = 40  # of each replay: a sound start shows within them
LONG = 120  # of each replay of a run that stands still after more steps than that: deep nets need a while even when they are sound
SECONDS = 5.0  # for all replays together
MARGIN = 0.1  # of what a constant answer loses: what a cure must bring beyond the whole run
RIPE = 3  # horizons: a run that learns had time enough to beat a few steps from the start
CALM = 0.05  # a pre-activation of 20 becomes 1


@dataclass(frozen=True)
class Ailment:
    """code: M01, M02, M03, M05, M06 or M19. trial: the cure beside none, from the start. now: the loss of the run on the batches judged."""

    code: str
    trial: Trial
    now: float
    steps: int
    signs: StartSigns
    cure: str

    @property
    def in_words(self) -> str:
        """What the cure did."""
        then, same = self.trial.with_control, self.trial.as_is
        return (
            f"from the start with {self.cure} the loss of recorded batches goes {then.before:.4g} -> {then.after:.4g} in {then.steps} "
            f"steps; without {same.before:.4g} -> {same.after:.4g}, and the whole run of {self.steps} steps stands at {self.now:.4g}"
        )


def measure(scene: Scene) -> Ailment | None:
    """None where nothing looks wrong, or no cure helps. Raises NotExamined."""
    learning: Learning = Evidence(scene)["learning"]
    if learning.verdict in ("adversarial", "too early") and not _blown(learning):
        raise NotExamined(
            "too early to say whether it learns" if learning.verdict == "too early" else "another network trains against this one"
        )
    if not _is_poor(learning):
        return None
    signs: StartSigns = Evidence(scene)["start_signs"]
    cures = _cures(signs, scene.first)
    if signs.vanishes and _is_graph(scene):
        cures.insert(0, ("M19", "nine tenths of each node its own and a tenth its neighbours'", lambda twin: _own(twin, scene.first)))
    if not cures or len(scene.moments) < 2:
        return None
    return _best(scene, learning, signs, cures)


def _is_graph(scene: Scene) -> bool:
    """Whether an adjacency ties the rows of the network's input together."""
    moment = scene.first
    return bool(moment.inputs) and moment.inputs[0].ndim > 0 and ties_rows(Evidence(scene)["start_pass"], moment.inputs[0].shape[0])


def _blown(learning: Learning) -> bool:
    return not all(math.isfinite(value) for value in learning.values[-3:])


def _is_poor(learning: Learning) -> bool:
    """Whether there is room for a cure at all: it does not learn, or it still stands near a constant answer or its start."""
    if learning.is_bad or _blown(learning):
        return True
    level = learning.trivial if learning.trivial is not None else abs(learning.first)
    return learning.steps >= RIPE * STEPS and learning.last > 0.3 * level


def _cures(signs: StartSigns, moment: Moment) -> list[tuple[str, str, Callable[[Twin], None]]]:
    """(code, words, control) of what the leads point at, the most particular first."""
    fresh = lambda twin: unit_scale(twin, moment)  # noqa: E731
    cures: list[tuple[str, str, Callable[[Twin], None]]] = []
    if signs.dead:
        cures.append(("M03", "biases at zero and He's weights", fresh))
    many = len(signs.off_scale) >= 0.5 * max(signs.matrices, 1)
    if signs.saturated and not many:
        cures.append(("M06", f"{CALM:g} times the weights before the saturated layers", lambda twin: calm(twin, signs.feeding, CALM)))
    chain = len(signs.off_scale) >= 5
    if not signs.dead and (signs.off_scale or signs.explodes or signs.vanishes):
        code = _flow(signs, chain=chain or not signs.off_scale)
        cures.append((code, "a start that keeps the signal's size", fresh))
    if signs.vanishes:
        cures.append(("M01", "ReLU for sigmoid and tanh", lambda twin: _both(rectified(twin) > 0, twin, moment)))
        cures.append(("M01", "a skip around each layer", lambda twin: _skips(twin, moment)))
    return cures


def _skips(twin: Twin, moment: Moment) -> None:
    _both(add_skips(twin) > 0, twin, moment)


def _flow(signs: StartSigns, *, chain: bool) -> str:
    """Growth or loss along a chain; else a matter of single scales."""
    if signs.recurrent or (signs.explodes and chain):
        return "M02"
    return "M01" if signs.vanishes and chain else "M05"


def _own(twin: Twin, moment: Moment) -> None:
    """Adjacencies that the network holds leave each node mostly as it is; skips as well, for the depth alone would hide the effect."""
    rows = moment.inputs[0].shape[0]
    held = [t for m in twin.model.modules() for t in (*m.buffers(recurse=False), *(v for v in vars(m).values() if isinstance(v, Tensor)))]
    for matrix in held:
        if matrix.shape == (rows, rows) and matrix.is_floating_point() and not matrix.is_sparse:
            with torch.no_grad():
                matrix.copy_(0.1 * matrix + 0.9 * torch.eye(rows, dtype=matrix.dtype, device=matrix.device))
    add_skips(twin)
    unit_scale(twin, moment)


def _both(changed: bool, twin: Twin, moment: Moment) -> None:
    if changed:
        unit_scale(twin, moment)


def _best(scene: Scene, learning: Learning, signs: StartSigns, cures: list[tuple[str, str, Callable[[Twin], None]]]) -> Ailment | None:
    """The first cure that beats both the same steps without it and the whole run, on batches that it did not train on."""
    train, judge = _split(scene.moments)
    lab = scene.lab
    began = time.perf_counter()
    steps = LONG if learning.is_bad and learning.steps > LONG else STEPS
    now = lab.mean_loss(lab.now(), judge)
    as_is: Curve | None = None
    for code, words, control in cures:
        if time.perf_counter() - began > SECONDS:
            break
        cured = lab.at_start()
        control(cured)
        curve = _curve(scene, cured, train, judge, steps=steps)
        as_is = as_is or _curve(scene, lab.at_start(), train, judge, steps=steps)
        if not scene.ended and _is_on_its_way(learning, as_is):
            return None
        if _wins(curve, as_is, now, learning):
            return Ailment(code, Trial(words, as_is, curve), now, learning.steps, signs, words)
    return None


def _split(moments: list[Moment]) -> tuple[list[Moment], list[Moment]]:
    """Batches to train on, and batches to judge by."""
    return (moments[::2], moments[1::2]) if len(moments) >= 4 else (moments, moments)


def _curve(scene: Scene, twin: Twin, train: list[Moment], judge: list[Moment], *, steps: int) -> Curve:
    before = scene.lab.mean_loss(twin, judge)
    run = scene.lab.curve(twin, train, steps=steps, seconds=2.0)
    return Curve(before, scene.lab.mean_loss(twin, judge), run.losses, run.steps)


def _is_on_its_way(learning: Learning, as_is: Curve) -> bool:
    """Whether a young run falls from an odd start by itself: then time will tell."""
    falls = math.isfinite(as_is.after) and as_is.after < 0.9 * as_is.before and learning.last < 0.9 * learning.first
    return learning.steps < RIPE * STEPS and falls


def _wins(cured: Curve, as_is: Curve, now: float, learning: Learning) -> bool:
    if not math.isfinite(cured.after):
        return False
    rivals = [value for value in (as_is.after, now) if math.isfinite(value)]
    level = learning.trivial if learning.trivial is not None else abs(cured.before)
    margin = MARGIN * level * (1 if learning.is_bad or _blown(learning) else 2)
    if learning.is_bad and abs(as_is.before - now) < 0.02 * level:
        margin /= 2  # the run stands where it began: anything that plainly moves is better
    learnt = cured.after < 0.97 * level
    return learnt and (not rivals or cured.after < min(rivals) - margin)
