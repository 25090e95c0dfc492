"""The replay tournament: from the start that training had, each candidate control against what the whole run reached.

A control wins when a few replayed steps with it bring the loss further, on recorded batches that the replay did not train on, than all
steps of the run did, and much further than the same few steps without it. Nothing else about the optimizer is an error.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

from torch.optim.optimizer import Optimizer

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.signals.dynamics import Dynamics
from leadline.doctor.signals.learning import Learning
from leadline.doctor.signals.micro_batches import MicroBatches
from leadline.doctor.signals.throttle import Throttle
from leadline.doctor.twin import Twin

HORIZON = (20, 40)  # steps of a replay while the run is young, and later: a slow control shows in forty
SECONDS = 3.0  # for the whole tournament
LEAST = 20  # steps of a replay, however slow: fewer prove nothing
EARLY = 20  # steps before which nothing is said: the run may still be in its first, noisy moves
RIPE = 3  # horizons: a run so long had time enough to beat forty steps
MATERIAL = 0.1  # of the first loss: what a control must bring more, to count as harm
SPECIFIC = 0.6  # of the best fall: a setting that is odd in itself is named before the learning rate, which can stand in for any of them
NO_CLIP = 1e30
THROTTLED = 0.05  # of the gradient's norm


@dataclass(frozen=True)
class Candidate:
    """One thing to try. factor: of the learning rate. parts: gradients are divided by it."""

    code: str
    name: str
    factor: float = 1.0
    options: tuple[tuple[str, Any], ...] = ()
    clip: float | None = None
    parts: float = 1.0


@dataclass(frozen=True)
class Entrant:
    """A candidate and how its replay went."""

    candidate: Candidate
    trial: Trial

    @property
    def fall(self) -> float:
        """How far the loss fell with it; -inf where it is not finite."""
        after = self.trial.with_control.after
        return self.trial.with_control.before - after if math.isfinite(after) else -math.inf


@dataclass(frozen=True)
class Tournament:
    """start, now: loss of the unseen batches on the network as it was before training and as it is. ripe: whether the run is long enough.

    whole_run: the fall of all steps of the run. winner: who helps, None where nobody does. entrants: all of them, best first.
    """

    start: float
    now: float
    steps: int
    horizon: int
    ripe: bool
    is_bad: bool
    as_is: Curve
    entrants: tuple[Entrant, ...]

    @property
    def whole_run(self) -> float:
        """The fall of the whole run on the same batches."""
        return self.start - self.now if math.isfinite(self.now) else -math.inf

    @property
    def winner(self) -> Entrant | None:
        """The control to name."""
        helping = [entrant for entrant in self.entrants if self.helps(entrant)]
        if not helping:
            return None
        best = max(entrant.fall for entrant in helping)
        specific = [e for e in helping if e.candidate.code not in ("O01", "O02") and e.fall >= SPECIFIC * best]
        return max(specific or helping, key=lambda entrant: entrant.fall)

    def helps(self, entrant: Entrant) -> bool:
        """Whether its few steps go plainly further than the same steps without it, and than the whole run."""
        scale = max(abs(self.start), 1e-12)
        fall, without = entrant.fall, self.start - self.as_is.after
        if not math.isfinite(fall) or (math.isfinite(without) and fall < max(2 * without, without + MATERIAL * scale)):
            return False
        run = self.whole_run
        if not self.ripe:  # too early for a verdict on a slow start: only a run that went nowhere or up
            return self.is_bad and run <= 0.05 * fall and fall > 0.25 * scale and entrant.candidate.code != "O02"
        if entrant.candidate.code == "O02":  # a small rate that works is somebody's choice
            return fall > 5 * max(run, 0.0) and run < MATERIAL * scale and fall > 2 * MATERIAL * scale
        margin = 1.25 if self.steps >= RIPE * self.horizon else 2.0
        return fall > margin * max(run, 0.0) and fall - max(run, 0.0) > MATERIAL * scale

    def in_words(self, entrant: Entrant) -> str:
        """The numbers in a clause."""
        curve = entrant.trial.with_control
        return (
            f"from the same start with {entrant.candidate.name} the loss of recorded batches that the replay did not train on goes "
            f"{curve.before:.4g} -> {curve.after:.4g} in {curve.steps} steps; as it is {self.as_is.before:.4g} -> {self.as_is.after:.4g}, "
            f"and the whole run of {self.steps} steps stands at {self.now:.4g}"
        )


def measure(scene: Scene) -> Tournament:
    """Raises NotExamined where nothing points at the optimizer, or the run is too young; NotReplayable."""
    evidence = Evidence(scene)
    learning: Learning = evidence["learning"]
    dynamics: Dynamics = evidence["dynamics"]
    if learning.verdict == "adversarial":
        raise NotExamined("another network trains against this one, so a falling loss proves nothing")
    blown = not all(math.isfinite(value) for value in learning.values[-3:])
    if len(learning.values) < EARLY and not blown and not (scene.ended and len(learning.values) >= EARLY):
        raise NotExamined("too few steps")
    candidates = _candidates(scene, dynamics, learning)
    if not candidates:
        raise NotExamined("nothing points at the optimizer")
    if len(scene.moments) < 2:
        raise NotExamined("too few recorded steps")
    _spend_a_try(scene, learning)
    return _Race(scene, dynamics, learning).run(candidates)


def _spend_a_try(scene: Scene, learning: Learning) -> None:
    """A tournament takes a second: a run that learns gets two of them (one kept for the end), any other four."""
    if not learning.is_bad and len(learning.values) < RIPE * HORIZON[0]:
        raise NotExamined("training falls, and is too young to be held against a replay")
    tries = scene.kept.get("tournaments", 0)
    if tries >= (3 if learning.is_bad else 1) and not scene.ended:
        raise NotExamined("the replays were done before; once more at the end")
    scene.kept["tournaments"] = tries + 1


class _Race:
    """Replays from the start, each with one control."""

    def __init__(self, scene: Scene, dynamics: Dynamics, learning: Learning) -> None:
        self.scene, self.learning = scene, learning
        self.peak = dynamics.peak
        self.left = left_of_gradient(scene)
        usable = [moment for moment in scene.moments if moment.script.problem is None]
        late = [moment for moment in usable if moment.step >= 4]
        self.held = (late[1::2] or usable[1::2] or usable)[-4:]
        self.train = [moment for moment in usable if moment not in self.held] or usable

    def run(self, candidates: list[Candidate]) -> Tournament:
        """Everybody once."""
        scene, steps = self.scene, len(self.learning.values)
        base = self._twin()
        start, now = self._loss(base), self._loss(scene.lab.now())
        horizon = HORIZON[steps >= 100 or scene.ended]
        if not self._may_be_ripe(steps, horizon) and not (self.learning.is_bad and not start - now > 0.05 * abs(start)):
            raise NotExamined("too early to hold a run that falls against a replay")
        began = time.perf_counter()
        as_is = self._curve(Candidate("", "nothing changed"), start, horizon)
        each = time.perf_counter() - began
        horizon = max(LEAST, min(horizon, int(horizon * SECONDS / max(each * len(candidates), 1e-9))))
        entrants = []
        for candidate in candidates:
            entrants.append(Entrant(candidate, Trial(candidate.name, as_is, self._curve(candidate, start, horizon))))
            if time.perf_counter() - began > 2 * SECONDS:
                break
        ripe = steps >= RIPE * horizon or (scene.ended and steps >= EARLY)
        entrants.sort(key=lambda entrant: -entrant.fall)
        return Tournament(start, now, steps, horizon, ripe, self.learning.is_bad, as_is, tuple(entrants))

    def _may_be_ripe(self, steps: int, horizon: int) -> bool:
        return steps >= RIPE * horizon // 2 or (self.scene.ended and steps >= EARLY)

    def _twin(self) -> Twin:
        """The network as it was, at the largest rate that training used (a warm-up begins at nearly nothing)."""
        twin = self.scene.lab.at_start()
        if len(twin.optimizers) == 1:
            rates = [float(group["lr"]) for group in twin.optimizers[0].param_groups]
            factor = self.peak / max(rates) if max(rates) > 0 else 1.0
            for group, rate in zip(twin.optimizers[0].param_groups, rates, strict=True):
                group["lr"] = rate * factor if rate > 0 else self.peak
        return twin

    def _curve(self, candidate: Candidate, start: float, horizon: int) -> Curve:
        twin = self._twin()
        for optimizer in twin.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * candidate.factor
                group.update({key: value for key, value in candidate.options if key in group})
        parts = candidate.parts / (self.left if candidate.code != "O07" else 1.0)
        losses: list[float] = []
        for number in range(horizon):
            moment = self.train[number % len(self.train)]
            losses.append(sum(twin.step(replace(moment, scaled=(moment.scaled or 1.0) * parts), clip=candidate.clip)))
            if not math.isfinite(losses[-1]):
                break
        after = self._loss(twin) if math.isfinite(losses[-1]) else math.nan
        return Curve(start, after, tuple(losses), len(losses))

    def _loss(self, twin: Twin) -> float:
        return self.scene.lab.mean_loss(twin, self.held)


def _candidates(scene: Scene, dynamics: Dynamics, learning: Learning) -> list[Candidate]:
    """What is worth trying here: odd settings when they look odd, the learning rate when training goes badly or steps look extreme."""
    bad = learning.is_bad
    slow = bad or dynamics.update_ratio < 1e-4
    odd = _odd_settings(dynamics) + _accumulation(scene)
    if slow and left_of_gradient(scene) < 1:
        odd.append(Candidate("O07", "the gradients as the backward pass gives them", clip=NO_CLIP))
    rates: list[Candidate] = []
    far, near = dynamics.update_ratio > 3e-2, dynamics.update_ratio < 1e-4  # of the weight a step: no smaller, no larger rate is missing
    if (bad and not near) or dynamics.update_ratio > 0.1 or dynamics.first_ratio > 0.1 or odd:
        rates += [Candidate("O01", f"a learning rate {n} times smaller", factor=1 / n) for n in (10, 100)]
    if (slow or odd) and not far and not _rate_is_rising(scene):
        rates += [Candidate("O02", f"a learning rate {n} times larger", factor=n) for n in (10, 100, 1000)]
    return odd + rates


def left_of_gradient(scene: Scene) -> float:
    """The share of the gradient that reaches the optimizer, where less than a twentieth does (clip_grad_value_, hooks); else 1."""
    try:
        throttle: Throttle = Evidence(scene)["throttle"]
    except NotExamined:
        return 1.0
    return throttle.left if 0 < throttle.left < THROTTLED else 1.0


def _odd_settings(dynamics: Dynamics) -> list[Candidate]:
    options, found = dynamics.options, []
    if dynamics.clip_share > 0.9 and dynamics.clip_coefficient < 0.1:
        found.append(Candidate("O07", "no clipping", clip=NO_CLIP))
    if options.get("weight_decay") and dynamics.decay_share > 0.2:
        found.append(Candidate("O04", "no weight decay", options=(("weight_decay", 0.0),)))
    if dynamics.eps_share > 0.5 and (options.get("eps") or 0.0) > 1e-7:
        found.append(Candidate("O06", "eps=1e-8", options=(("eps", 1e-8),)))
    betas = options.get("betas")
    if betas is not None and (betas[0] > 0.96 or betas[1] < 0.5 or betas[1] < betas[0] or betas[1] >= 1):
        found.append(Candidate("O06", "betas=(0.9, 0.999)", options=(("betas", (0.9, 0.999)),)))
    if (options.get("momentum") or 0.0) > 0.96:
        found.append(Candidate("O06", "momentum=0.9", options=(("momentum", 0.9),)))
    return found


def _accumulation(scene: Scene) -> list[Candidate]:
    micro: MicroBatches = Evidence(scene)["micro_batches"]
    if micro.parts < 2 or micro.divided is not False:
        return []
    return [Candidate("T04", f"the loss divided by {micro.parts}", parts=float(micro.parts))]


def _rate_is_rising(scene: Scene) -> bool:
    """Whether a warm-up is on: then a small rate says nothing yet. In a check, a schedule that the trial does not step counts too."""
    steps = [step for step in scene.heard.steps if step.lrs]
    rates = [max(step.lrs) for step in steps]
    groups: list[dict[str, Any]] = [group for optimizer in scene.heard.optimizers for group in optimizer.param_groups]
    planned = max((float(group.get(key) or 0.0) for group in groups for key in ("initial_lr", "max_lr")), default=0.0)
    return rates[-1] > rates[0] or planned > 2 * max(rates) or any(_rectifies(each, len(steps)) for each in scene.heard.optimizers)


def _rectifies(optimizer: Optimizer, steps: int) -> bool:
    """RAdam warms up by itself while its second moments are young (Liu et al. 2020): for about 1 / (1 - beta2) steps."""
    betas = optimizer.param_groups[0].get("betas")
    return type(optimizer).__name__ == "RAdam" and betas is not None and steps < 1 / (1 - float(betas[1]))
