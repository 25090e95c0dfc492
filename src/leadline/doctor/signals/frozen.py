"""What does not train: a frozen head behind layers that do, or a frozen body that looks as if it had never been trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from leadline.doctor.anatomy import Anatomy
from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Trial
from leadline.doctor.surgery import unfreeze

KEEP = True
STEPS = 60  # of the replay with everything trainable
BODY = 0.5  # of the elements frozen: the body, not a detail


@dataclass(frozen=True)
class Frozen:
    """share: of the parameters' elements that are frozen. head: path of a frozen last layer behind layers that train. untrained: share of

    the frozen matrices whose values are exactly those of an untouched random start. trial: with everything trainable; None without a lead.
    """

    share: float
    head: str | None
    untrained: float
    trial: Trial | None
    names: tuple[str, ...]


def measure(scene: Scene) -> Frozen:
    """Raises NotExamined or NotReplayable, once something is frozen."""
    parameters = dict(scene.lab.model.named_parameters())
    frozen = {name: p for name, p in parameters.items() if not p.requires_grad and p.is_floating_point() and p.ndim}
    if not frozen or len(frozen) == len(parameters):
        return Frozen(0.0, None, 0.0, None, ())
    share = sum(p.numel() for p in frozen.values()) / sum(p.numel() for p in parameters.values())
    untrained = _untrained(scene.lab.model, frozen)
    head = _frozen_head(Evidence(scene)["layers_start"], share)
    if head is None and not (share >= BODY and untrained > 0.5):
        return Frozen(share, None, untrained, None, tuple(frozen))
    if len(scene.moments) < 2:
        raise NotExamined("too few steps were recorded to try it unfrozen")
    trial = scene.lab.trial("everything trainable", _unfrozen, scene.moments[:8], from_start=True, steps=STEPS)
    return Frozen(share, head, untrained, trial, tuple(frozen))


def _unfrozen(twin: Any) -> None:
    unfreeze(twin)


def _frozen_head(anatomy: Anatomy, share: float) -> str | None:
    """The last layer with a matrix, where it is frozen and most of what comes before is not."""
    layers = [layer for layer in anatomy.layers if _is_matrix(getattr(layer.module, "weight", None))]
    if len(layers) < 2 or share >= BODY:
        return None
    last: Any = layers[-1].module
    tied = any(other.module is not last and getattr(other.module, "weight", None) is last.weight for other in layers)
    used_once = sum(layer.module is last for layer in layers) == 1
    random = last.weight.numel() < 32 or _is_uniform(last.weight) or _is_normal(last.weight)
    return layers[-1].path if used_once and not tied and not last.weight.requires_grad and random else None


def _is_matrix(weight: Any) -> bool:
    return isinstance(weight, Tensor) and weight.ndim >= 2


def _untrained(model: nn.Module, frozen: Mapping[str, Tensor]) -> float:
    """Share of the frozen matrices whose values are spread as PyTorch's default start spreads them: evenly up to a bound by the fan-in.

    Training leaves no such spread: a uniform distribution has kurtosis 1.8 and ends at its bound, at sqrt(3) standard deviations.
    """
    matrices = [p for p in frozen.values() if p.ndim >= 2 and p.numel() >= 32]
    if not matrices:
        return 0.0
    return sum(_is_uniform(p) or _is_normal(p) for p in matrices) / len(matrices)


def _is_uniform(weight: Tensor) -> bool:
    values = weight.detach().double().flatten()
    spread, bound = float(values.std()), float(values.abs().max())
    if spread == 0:
        return False
    kurtosis = float(((values - values.mean()) / spread).pow(4).mean())
    tolerance = 4 * math.sqrt(0.65 / len(values)) + 0.02  # four standard errors of a uniform sample's kurtosis
    fan_in = weight[0].numel()
    known = any(
        abs(bound * math.sqrt(fan) / factor - 1) < 0.1
        for fan in (fan_in, fan_in + weight.shape[0])
        for factor in (1.0, math.sqrt(3), math.sqrt(6))
    )
    return abs(kurtosis - 1.8) < tolerance and known


def _is_normal(weight: Tensor) -> bool:
    """He's or Glorot's normal start: kurtosis 3, mean 0, and the very standard deviation of the formula."""
    values = weight.detach().double().flatten()
    spread, count = float(values.std()), len(values)
    if spread == 0 or count < 256:
        return False
    kurtosis = float(((values - values.mean()) / spread).pow(4).mean())
    fan_in = weight[0].numel()
    known = (math.sqrt(2 / fan_in), math.sqrt(1 / fan_in), math.sqrt(2 / (fan_in + weight.shape[0])), 0.02, 1.0)
    close = any(abs(spread / each - 1) < 3 / math.sqrt(2 * count) for each in known)
    return close and abs(kurtosis - 3) < 4 * math.sqrt(24 / count) and abs(float(values.mean())) < 4 * spread / math.sqrt(count)
