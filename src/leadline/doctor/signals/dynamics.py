"""How the optimizer moves the weights, in numbers that cost nothing: rates heard, update ratios, clipping, decay, Adam's epsilon."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from leadline.doctor.evidence import NotExamined, Scene

SAMPLE = 65536  # elements of a second moment that are looked at: a median to a percent


@dataclass(frozen=True)
class Dynamics:
    """Leads, not proofs. rates: the largest learning rate of the groups at each step. planned: the rate that a schedule calls its peak.

    update_ratio: median over recorded steps of the median |dw|/|w| of the weight matrices. clip_share, clip_coefficient: how often, and
    by which median factor. decay_share: size of weight decay's part of the update beside the gradient's (median over
    matrices, latest recorded step). eps_share: share of Adam's elements whose sqrt(v) is below eps. options: of the first group.
    """

    kind: str
    options: dict[str, Any]
    rates: tuple[float, ...]
    planned: float
    update_ratio: float
    first_ratio: float
    clip_share: float
    clip_coefficient: float
    clip_limit: float | None
    decay_share: float
    eps_share: float

    @property
    def peak(self) -> float:
        """The largest rate that was used."""
        return max(self.rates)


def measure(scene: Scene) -> Dynamics:
    """Raises NotExamined where several optimizers share the work: then their numbers do not make one picture."""
    heard = scene.heard
    if len(heard.optimizers) != 1:
        raise NotExamined("several optimizers take turns, and one picture of their steps does not exist")
    rates = tuple(max(step.lrs) for step in heard.steps if step.lrs)
    if not rates:
        raise NotExamined("no optimizer step was heard")
    optimizer = heard.optimizers[0]
    options = {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}
    planned = max(max(_plain(group.get(key, 0.0)) for key in ("lr", "initial_lr", "max_lr")) for group in optimizer.param_groups)
    ratios = _ratios(scene)
    share, coefficient, limit = _clipping(scene)
    return Dynamics(
        type(optimizer).__name__, options, rates, max(planned, max(rates)),
        statistics.median(ratios) if ratios else math.nan, ratios[0] if ratios else math.nan,
        share, coefficient, limit, _decay_share(scene, optimizer), _eps_share(optimizer),
    )  # fmt: skip


def _plain(value: Any) -> float:
    return float(value) if value is not None else 0.0


def _ratios(scene: Scene) -> list[float]:
    shapes = {name: p.ndim for name, p in scene.heard.named}
    found: list[float] = []
    for gauge in scene.heard.gauges:
        moved = [u for name, u in zip(gauge.names, gauge.updates, strict=True) if shapes.get(name, 0) >= 2 and math.isfinite(u)]
        found += [statistics.median(moved)] if moved else []
    return found


def _clipping(scene: Scene) -> tuple[float, float, float | None]:
    """Share of the latest steps that were clipped, median coefficient, limit. A norm on a device is fetched: at most fifty of them."""
    steps = [step for step in scene.heard.steps[-50:] if step.clip is not None]
    if not steps:
        return 0.0, 1.0, None
    norms = torch.stack([torch.as_tensor(step.clip[1]).double().cpu().reshape(()) for step in steps if step.clip is not None])
    limits = torch.tensor([step.clip[0] for step in steps if step.clip is not None], dtype=torch.float64)
    coefficients = (limits / norms.clamp_min(1e-300)).clamp_max(1.0)
    return float((coefficients < 1).double().mean()), float(coefficients.median()), float(limits[-1])


def _decay_share(scene: Scene, optimizer: Optimizer) -> float:
    """lr * wd * |w| beside what the gradient moved: for decoupled decay the rest of the update, else the gradient itself."""
    if not scene.heard.gauges:
        return 0.0
    gauge = scene.heard.gauges[-1]
    by_name = {name: place for place, name in enumerate(gauge.names)}
    names = {id(p): name for name, p in scene.heard.named}
    shares: list[float] = []
    for group in optimizer.param_groups:
        decay, rate = _plain(group.get("weight_decay")), _plain(group["lr"])
        for parameter in group["params"] if decay else []:
            place = by_name.get(names.get(id(parameter), ""))
            if place is None or parameter.ndim < 2:
                continue
            if _is_decoupled(optimizer, group):
                pull, rest = rate * decay, gauge.updates[place]
            else:
                pull, rest = decay * gauge.weights[place], gauge.grads[place] or 0.0
            shares.append(pull / max(rest, 1e-30))
    return statistics.median(shares) if shares else 0.0


def _is_decoupled(optimizer: Optimizer, group: dict[str, Any]) -> bool:
    return bool(group.get("decoupled_weight_decay")) or type(optimizer).__name__ in ("AdamW", "NAdamW", "RAdamW", "Lion", "Muon")


def _eps_share(optimizer: Optimizer) -> float:
    """Share of second moments whose root is below eps; 0 where there are none."""
    shares: list[float] = []
    for group in optimizer.param_groups:
        eps, beta = group.get("eps"), group["betas"][1] if "betas" in group else None
        for parameter in group["params"] if eps is not None else []:
            state = optimizer.state.get(parameter, {})
            second = state.get("exp_avg_sq", state.get("square_avg"))
            if not isinstance(second, Tensor) or second.is_sparse or parameter.ndim < 2:
                continue
            done = float(state.get("step", 1)) or 1.0
            correction = 1 - beta**done if beta is not None and beta < 1 else 1.0
            roots = (second.reshape(-1)[:SAMPLE].double() / max(correction, 1e-12)).sqrt()
            touched = roots[roots > 0]
            if touched.numel():
                shares.append(float((touched < float(eps or 0.0)).double().mean()))
    return statistics.median(shares) if shares else 0.0
