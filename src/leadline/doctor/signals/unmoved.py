"""Parameters that a step should have moved and did not: gradient, rate and resolution are there, the weight is the same bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.moment import Gauge

RECORDED = 2  # recorded steps at which torch's own optimizers must have moved it
PATIENT = 25  # steps for other optimizers, which may update every few steps only
ROOM = 100.0  # the update should be so many times the smallest change that the number format can hold


@dataclass(frozen=True)
class Unmoved:
    """names: of parameters that stand still. num_held: parameters in the optimizers. lr, grad: of the first of them. strided: all of
    them, and none of those that move, lie in memory other than row after row. kind: the optimizer's class.
    """

    names: tuple[str, ...]
    num_held: int
    lr: float
    grad: float
    strided: bool
    kind: str
    step: int


def measure(scene: Scene) -> Unmoved:
    """Raises NotExamined before enough steps were measured."""
    heard = scene.heard
    if len(heard.gauges) < RECORDED:
        raise NotExamined("too few steps were measured")
    rates = {id(p): (float(g["lr"]), o) for o in scene.optimizers for g in o.param_groups for p in g["params"]}
    still = set(Evidence(scene)["weights_moved"].still)
    held = [(name, p) for name, p in heard.named if id(p) in rates]
    found = [(n, p) for n, p in held if n in still and _should_move(heard.gauges, n, p, rates[id(p)], len(heard.steps))]
    names = {n for n, _ in found}
    strided = bool(found) and all(not p.is_contiguous() for _, p in found) and all(p.is_contiguous() for n, p in held if n not in names)
    if not found:
        return Unmoved((), len(held), 0.0, 0.0, strided=False, kind="", step=0)
    name, first = found[0]
    gauge = heard.gauges[-1]
    grad = float(gauge.grads[gauge.names.index(name)] or 0.0)
    rate, optimizer = rates[id(first)]
    return Unmoved(
        tuple(n for n, _ in found), len(held), rate, grad, strided=strided, kind=type(optimizer).__name__, step=heard.gauges[0].step
    )


def _should_move(gauges: list[Gauge], name: str, weight: Tensor, rate: tuple[float, Optimizer], steps: int) -> bool:
    lr, optimizer = rate
    if type(optimizer).__module__.split(".")[0] != "torch" and steps < PATIENT:
        return False
    format_: Any = torch.finfo(weight.dtype)
    for gauge in gauges:
        if name not in gauge.names:
            return False
        place = gauge.names.index(name)
        grad, norm = gauge.grads[place], gauge.weights[place]
        if not grad or not torch.isfinite(torch.tensor(grad)) or gauge.moved[place] or not gauge.lr:
            return False
        root = weight.numel() ** 0.5
        update = min(lr, gauge.lr) * min(grad / root, 1.0)  # what plain descent would do to a typical element; Adam and its kin do more
        if update < ROOM * format_.eps * max(norm / root, format_.tiny):
            return False
    return True
