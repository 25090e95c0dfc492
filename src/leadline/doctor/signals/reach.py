"""Which optimised parameters the loss's gradient reaches, and whether the loss hangs on the others all the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.flow import Flow, flow_of
from leadline.doctor.moment import Gauge, Step
from leadline.doctor.twin import Twin, bare

ROUNDING = ("round", "floor", "ceil", "sign", "trunc", "heaviside", "argmax", "round_", "floor_divide")
TEACHERS = ("target", "teacher", "ema", "momentum_encoder", "key_encoder", "encoder_k")  # copies that follow by other means than gradients
PARTS = 24  # modules asked one by one, at most
SHAKE = 0.5  # of a weight's own size: a change that any loss hanging on it shows


@dataclass(frozen=True)
class Reach:
    """asked: optimised parameters. cut: those without gradient on which the loss hangs (by changing them). parts: their modules.

    connected: False where no parameter has a gradient because the loss does not hang on the network's outputs. how: in words, why not.
    """

    asked: int
    cut: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    connected: bool = True
    how: str = ""
    loss: float = math.nan
    step: int = 0


def measure(scene: Scene) -> Reach:
    """Raises NotExamined or NotReplayable, where a parameter without gradient was seen."""
    owner = _owners(scene)
    if not owner or not scene.heard.gauges:
        raise NotExamined("no recorded step of an optimizer over the network's parameters")
    steps = {step.index: step for step in scene.heard.steps}
    seen = [(gauge, steps[gauge.step]) for gauge in scene.heard.gauges if gauge.step in steps]
    names = [name for name in owner if _asked(seen, name, owner)]
    silent = [name for name in names if all(gauge.grads[gauge.names.index(name)] is None for gauge, _ in _asked(seen, name, owner))]
    if any(grad for gauge, _ in seen for grad in gauge.grads):
        cut = _cut_once(scene, silent) if silent and len(seen) > 1 else ()
        parts = tuple(dict.fromkeys(name.rpartition(".")[0] for name in cut))
        return Reach(len(names), cut, parts, step=seen[0][1].index)
    return _nothing(scene, len(names), steps=len(seen))


def _owners(scene: Scene) -> dict[str, int]:
    """Number of the optimizer of each trainable parameter of the network, by name."""
    number = {id(p): place for place, o in enumerate(scene.optimizers) for group in o.param_groups for p in group["params"]}
    return {name: number[id(p)] for name, p in bare(scene.model).named_parameters() if p.requires_grad and id(p) in number}


def _asked(seen: list[tuple[Gauge, Step]], name: str, owner: dict[str, int]) -> list[tuple[Gauge, Step]]:
    """Recorded steps in which this parameter's own optimizer stepped."""
    return [(gauge, step) for gauge, step in seen if owner[name] in step.optimizers and name in gauge.names]


def _nothing(scene: Scene, asked: int, *, steps: int) -> Reach:
    """No parameter got a gradient: is the loss cut off from the network's outputs, or does the gradient die inside?"""
    moment = scene.first
    twin = scene.lab.at_start()
    if any(value != 0 for value in _gradients(twin, scene)):
        return Reach(asked)  # the step computes gradients, and something empties them before the update
    flow = flow_of(scene.lab.at_start(), moment)
    loss = moment.values[-1] if moment.values else math.nan
    if not math.isfinite(loss):
        raise NotExamined("the loss is not finite")
    round_by = next((node.name for end in flow.ends for node in flow.ancestors(end) if node.name in ROUNDING), None)
    slopes = [flow.slope(node.value) for node in flow.outputs if node.learns]
    path = _has_path(flow)
    dies_inside = loss == 0 or any(slope is not None and bool((slope != 0).any()) for slope in slopes)
    if path and ((dies_inside and round_by is None) or steps < 2):
        return Reach(asked)
    how = "its slope at the network's outputs is zero" if path else "no operation leads from the parameters to it"
    how = f"{round_by}() lies between, and its slope is zero everywhere" if round_by else how
    return Reach(asked, connected=False, how=how, loss=loss, step=moment.step)


def _gradients(twin: Twin, scene: Scene) -> list[float]:
    twin.gradients(scene.first)
    return [0.0 if p.grad is None else float(p.grad.double().norm()) for p in twin.model.parameters() if p.requires_grad]


def _has_path(flow: Flow) -> bool:
    """Whether the loss has a graph that came through the network."""
    inside = {id(node) for node in flow.nodes if node.inside and node.learns}
    return any(id(node) in inside for end in flow.ends for node in flow.ancestors(end))


def _cut_once(scene: Scene, silent: list[str]) -> tuple[str, ...]:
    """As `_cut`, asked again only when other parameters are silent."""
    known = scene.kept.get("reach_cut")
    if known is None or known[0] != silent:
        known = scene.kept["reach_cut"] = (silent, _cut(scene, silent))
    return known[1]


def _cut(scene: Scene, silent: list[str]) -> tuple[str, ...]:
    """Those of the silent parameters on which the loss hangs."""
    moved = {name for _, changed in scene.heard.outside for name in changed}
    names = [name for name in silent if name not in moved and not _is_teacher(name) and not _has_double(scene, name)]
    if not names:
        return ()
    twin = scene.lab.at_start()
    twin.gradients(scene.first)
    grads = {name: p.grad for name, p in twin.model.named_parameters()}
    names = [name for name in names if grads[name] is None]
    base = scene.lab.at_start().loss(scene.first)
    if not names or scene.lab.at_start().loss(scene.first) != base or not _matters(scene, names, base):
        return ()
    by_part: dict[str, list[str]] = {}
    for name in names:
        by_part.setdefault(name.rpartition(".")[0], []).append(name)
    hangs = [part for part in list(by_part)[:PARTS] if _matters(scene, by_part[part], base)]
    return tuple(name for part in hangs for name in by_part[part])


def _matters(scene: Scene, names: list[str], base: float) -> bool:
    """Whether the loss changes when these parameters do."""
    twin = scene.lab.at_start()
    parameters = dict(twin.model.named_parameters())
    with torch.no_grad():
        for name in names:
            weight = parameters[name]
            size = float(weight.std()) if weight.numel() > 1 else 0.0
            weight.add_(torch.randn_like(weight) * SHAKE * (size or 0.1))
    return twin.loss(scene.first) != base


def _is_teacher(name: str) -> bool:
    return any(word in name.lower().split(".")[0] or word in name.lower() for word in TEACHERS)


def _has_double(scene: Scene, name: str) -> bool:
    """Whether a second module of the network holds parameters of the same names and shapes: a slow copy that follows the first."""
    first, _, rest = name.partition(".")
    children = dict(bare(scene.model).named_children())
    if not rest or first not in children:
        return False
    mine = {key: p.shape for key, p in children[first].named_parameters()}
    return any({key: p.shape for key, p in other.named_parameters()} == mine for path, other in children.items() if path != first)
