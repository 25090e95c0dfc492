"""What standardised inputs or targets would change: a replay from the start with them, beside one without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Change, Trial
from leadline.doctor.signals.inputs_seen import InputsSeen
from leadline.doctor.signals.learning import Learning
from leadline.doctor.signals.pair import pair_of
from leadline.doctor.tape import Entry

LARGE, OFFSET, MIXED, TINY = 3.0, 5.0, 100.0, 0.1  # leads only: the replay decides
TARGET_LARGE, TARGET_OFFSET = 20.0, 10.0
STEPS, LONG = 30, 120  # of a replay; the long one only where the short one hints
HINT = 0.02  # of the trivial loss
BETTER = 0.5  # where training only is slow: the loss left over must be halved at least
BEGINS = 0.85  # where it does not learn at all: a seventh of the trivial loss gone in a few steps is a plain difference
SLOW = 0.25  # of the trivial loss still left at the end

What = Literal["large", "offset", "mixed", "tiny", "squeezed", ""]


@dataclass(frozen=True)
class Scales:
    """inputs, targets: which lead there is ("": none). mean, std, ratio: of the inputs (ratio: largest to smallest deviation of a feature).
    feature: number of the widest. target_mean, target_std: NaN where there are no number targets. trial_inputs, trial_targets: the replays,
    where they were done (only when learning is bad or slow). left: share of the trivial loss left, as it is and with the control.
    """

    inputs: What
    targets: What
    mean: float
    std: float
    ratio: float
    feature: int
    target_mean: float
    target_std: float
    trial_inputs: Trial | None = None
    trial_targets: Trial | None = None
    left_inputs: tuple[float, float] = (1.0, 1.0)
    left_targets: tuple[float, float] = (1.0, 1.0)
    is_bad: bool = False


def helped(trial: Trial | None, left: tuple[float, float], *, is_bad: bool) -> bool:
    """Whether a control leaves plainly less of the loss than is left without it."""
    as_is, then = left
    if trial is None or not then < 0.95:
        return False
    return as_is != as_is or then < (BEGINS if is_bad else BETTER) * as_is


def measure(scene: Scene) -> Scales:
    """Raises NotExamined. The replays are done once while learning is bad, and once at the end where it is slow."""
    evidence = Evidence(scene)
    inputs, facts = _input_lead(evidence)
    targets, mean, std = _target_lead(scene)
    plain = Scales(inputs, targets, *facts, mean, std)
    if not inputs and not targets:
        return plain
    learning: Learning = evidence["learning"]
    slow = scene.ended and learning.trivial is not None and learning.last > SLOW * learning.trivial
    if not (learning.is_bad or slow) or len(scene.moments) < 4:
        return plain
    key = ("scales_tried", learning.is_bad, scene.ended)
    if str(key) not in scene.kept:
        scene.kept[str(key)] = _tried(scene, plain, learning)
    return scene.kept[str(key)]


def _input_lead(evidence: Evidence) -> tuple[What, tuple[float, float, float, int]]:
    try:
        seen: InputsSeen = evidence["inputs_seen"]
    except NotExamined:
        return "", (0.0, 1.0, 1.0, 0)
    if not seen.finite:
        return "", (0.0, 1.0, 1.0, 0)
    alive = seen.std > 1e-12
    if not bool(alive.any()):
        return "", (0.0, 0.0, 1.0, 0)
    std, mean = seen.std[alive], seen.mean[alive]
    ratio = float(std.max() / std.min())
    facts = (float(seen.mean.mean()), seen.spread, ratio, int(seen.std.argmax()))
    return _which(mean, std, spread=seen.spread, image=seen.x.ndim == 4), facts


def _which(mean: Tensor, std: Tensor, *, spread: float, image: bool) -> What:
    common = float(std.median())
    if float(std.max()) < TINY:
        alike = image or float((std < 4 * common).double().mean()) > 0.9  # all features share one scale: they were scaled before
        return "squeezed" if alike and spread < 20 * common else "tiny"
    if float(std.max()) > MIXED * common or (float(std.max()) > 10 and float(std.max() / std.min()) > MIXED):
        return "mixed"
    if float((mean.abs() / std).median()) > OFFSET:
        return "offset"
    return "large" if spread > LARGE else ""


def _target_lead(scene: Scene) -> tuple[What, float, float]:
    try:
        pair = pair_of(scene.last)
    except NotExamined:
        return "", float("nan"), float("nan")
    y = pair.targets
    if pair.kind not in ("regression", "unknown") or not y.is_floating_point() or y.numel() < 4 or _is_input(scene, y):
        return "", float("nan"), float("nan")
    found = [t.double().flatten() for t in _recorded_targets(scene)]
    every = torch.cat(found) if found else y.double().flatten()
    mean, std = float(every.mean()), float(every.std())
    if std > TARGET_LARGE:
        return "large", mean, std
    return ("offset" if abs(mean) > TARGET_OFFSET * max(std, 1.0) else ""), mean, std


def _is_input(scene: Scene, y: Tensor) -> bool:
    return any(x.numel() == y.numel() and x.dtype == y.dtype and torch.equal(x.cpu().flatten(), y.flatten()) for x in scene.last.inputs)


def _recorded_targets(scene: Scene) -> list[Tensor]:
    found: list[Tensor] = []
    for moment in scene.moments:
        try:
            found.append(pair_of(moment).targets)
        except NotExamined:
            continue
    return found


def _tried(scene: Scene, plain: Scales, learning: Learning) -> Scales:
    changes: dict[str, Any] = {"is_bad": learning.is_bad}
    if plain.targets:
        change = _on_values(_recorded_targets(scene), _scalar(plain.target_mean, plain.target_std))
        trial = _trial(scene, "standardised targets", change)
        changes |= {"trial_targets": trial, "left_targets": _left(scene, trial, learning, scale=plain.target_std)}
    if plain.inputs:
        change, scale = _on_inputs(scene)
        trial = _trial(scene, "standardised inputs", change)
        left = _left(scene, trial, learning, scale=scale)
        if learning.is_bad and not helped(trial, left, is_bad=True) and left[1] < min(left[0], 1.0) - HINT:
            trial = _trial(scene, "standardised inputs", change, steps=LONG)  # a slow net shows a hint first
            left = _left(scene, trial, learning, scale=scale)
        changes |= {"trial_inputs": trial, "left_inputs": left}
    return Scales(**{**vars(plain), **changes})


def _trial(scene: Scene, name: str, change: Change, *, steps: int = STEPS) -> Trial:
    return scene.lab.trial(name, lambda _twin: None, scene.moments, from_start=True, steps=steps, change=change)


def _left(scene: Scene, trial: Trial, learning: Learning, *, scale: float) -> tuple[float, float]:
    """Loss after the replay as a share of the trivial loss, or of its start where that is not known; targets may have other units."""
    if learning.trivial is None or learning.trivial <= 0:
        return trial.as_is.after / max(trial.as_is.before, 1e-30), trial.with_control.after / max(trial.with_control.before, 1e-30)
    call = scene.last.loss
    power = 2 if call is not None and call.name == "mse_loss" else 1 if call is not None and call.name != "cross_entropy" else 0
    return trial.as_is.after / learning.trivial, trial.with_control.after / (learning.trivial / scale**power)


def _on_inputs(scene: Scene) -> tuple[Change, float]:
    """Standardise what the network is given; where that is the target too, both alike (and the scale that the target's units change by)."""
    seen: InputsSeen = Evidence(scene)["inputs_seen"]
    targets = _recorded_targets(scene)
    if targets and _is_input(scene, targets[-1]):
        mean, std = float(seen.x.double().mean()), seen.spread
        return _on_values([*targets, *(m.inputs[0].cpu() for m in scene.moments)], _scalar(mean, std)), std
    path = next((entry.module for entry in scene.first.script.calls), None)
    shape = seen.x.shape[1:]

    def change(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if entry.kind != "call" or entry.module != path:
            return args, kwargs
        leaves, spec = pytree.tree_flatten((args, kwargs))
        for number, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.shape[1:] == shape:
                leaves[number] = seen.standardised(leaf)
                break
        return pytree.tree_unflatten(leaves, spec)

    return change, 1.0


def _scalar(mean: float, std: float) -> Callable[[Tensor], Tensor]:
    return lambda x: ((x.double() - mean) / max(std, 1e-30)).to(x.dtype)


def _on_values(known: list[Tensor], map_to: Callable[[Tensor], Tensor]) -> Change:
    """Replace whatever has the very values of one of `known`, wherever the step uses it."""
    flat = [t.detach().cpu().flatten() for t in known]

    def is_known(leaf: Any) -> bool:
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point() or leaf.requires_grad:
            return False
        candidates = [t for t in flat if t.numel() == leaf.numel() and t.dtype == leaf.dtype]
        return bool(candidates) and any(torch.equal(t, leaf.detach().cpu().flatten()) for t in candidates)

    def change(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if entry.kind == "backward":
            return args, kwargs
        return pytree.tree_map(lambda leaf: map_to(leaf) if is_known(leaf) else leaf, (args, kwargs))

    return change
