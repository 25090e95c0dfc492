"""Which parameters the optimizers hold, beside those that the loss reaches: left out, and held though they belong to no network that
trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.lab import Trial
from leadline.doctor.moment import Gauge
from leadline.doctor.tape import NotReplayable
from leadline.doctor.twin import Twin, bare

EARLY = 12  # steps before which an optimizer that steps seldom (every fifth time, say) may not have been heard yet
UNIFORM_KURTOSIS = 1.8  # of a uniform distribution; a normal one has 3, trained weights more


@dataclass(frozen=True)
class Held:
    """left_out: names of parameters that get gradients and stand in no optimizer that steps. stale: how many tensors the optimizers hold
    that are not the network's and never had a gradient. twins: left-out parameters with a stale tensor of the same shape. untrained:
    left-out matrices that still look as torch initialises them (uniform within its bound). held: how many parameters the optimizers do
    hold. trial: the left-out ones added on a copy (None: not tried, see why).
    """

    left_out: tuple[str, ...]
    stale: int
    twins: tuple[str, ...]
    untrained: tuple[str, ...]
    held: int
    trial: Trial | None
    why: str = ""


def measure(scene: Scene) -> Held:
    """Raises NotExamined before gradients of a step were measured."""
    heard = scene.heard
    if not heard.gauges:
        raise NotExamined("no step was measured yet")
    optimised = {id(p) for group in _groups(scene) for p in group["params"]}
    reached = _reached(heard.gauges)
    left = [(n, p) for n, p in heard.named if n in reached and id(p) not in optimised and n not in _moved(heard.gauges)]
    mine = {id(p) for p in bare(scene.model).parameters()}
    stale = [
        p
        for o in scene.optimizers
        for g in o.param_groups
        for p in g["params"]
        if id(p) not in mine and p.requires_grad and p.grad is None and not o.state.get(p)
    ]
    shapes = {tuple(p.shape) for p in stale}
    untrained = tuple(n for n, p in left if _is_as_made(p))
    names = tuple(n for n, _ in left)
    is_time = (len(heard.steps) >= EARLY or scene.ended) and bool(untrained) and not stale
    trial, why = _trial(scene, names) if is_time else (None, "")
    twins = tuple(n for n, p in left if tuple(p.shape) in shapes)
    return Held(names, len(stale), twins, untrained, sum(id(p) in optimised for _, p in heard.named), trial, why)


def _groups(scene: Scene) -> list[dict[str, Any]]:
    """Parameter groups of all optimizers: those given and those heard."""
    strangers = [known["optimizer"] for known in scene.heard.strangers.values()]
    return [group for optimizer in [*scene.optimizers, *strangers] for group in optimizer.param_groups]


def _reached(gauges: list[Gauge]) -> set[str]:
    """Parameters that had a gradient at every recorded step so far: one that comes up now and then belongs to another phase."""
    always = [{name for name, norm in zip(g.names, g.grads, strict=True) if norm} for g in gauges]
    return set.intersection(*always)


def _moved(gauges: list[Gauge]) -> set[str]:
    return {name for gauge in gauges for name, moved in zip(gauge.names, gauge.moved, strict=True) if moved}


def _is_as_made(weight: Tensor) -> bool:
    """Whether a matrix is uniform with hard edges, as torch makes most layers; training blurs the edges at once."""
    if weight.ndim < 2 or weight.numel() < 64:
        return False
    values = weight.detach().double()
    spread = float(values.std())
    kurtosis = float((values**4).mean() / (values**2).mean().clamp_min(1e-300) ** 2)
    return float(values.abs().max()) <= 1.1 * 3**0.5 * spread and abs(kurtosis - UNIFORM_KURTOSIS) < 0.35


def _trial(scene: Scene, names: tuple[str, ...]) -> tuple[Trial | None, str]:
    """The left-out parameters beside the others, from the start; once for a training."""
    if "held_trial" in scene.kept:
        return scene.kept["held_trial"]

    def add(twin: Twin) -> None:
        params = dict(twin.model.named_parameters())
        first = twin.optimizers[0]
        first.add_param_group({"params": [params[name] for name in names], "lr": max(g["lr"] for g in first.param_groups)})

    try:
        scene.kept["held_trial"] = scene.lab.trial("them in the optimizer", add, scene.moments, from_start=True), ""
    except NotReplayable as reason:
        scene.kept["held_trial"] = None, str(reason)
    return scene.kept["held_trial"]
