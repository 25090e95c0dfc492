"""Weights whose units are all alike, and get the same gradient: they stay alike for ever."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.lab import Trial
from leadline.doctor.surgery import start_again
from leadline.doctor.twin import Twin

STEPS = 40  # of the replay with another start


@dataclass(frozen=True)
class Symmetry:
    """names: matrices whose rows are equal and whose gradient's rows are equal. zero: those that are all zero. trial: a random start."""

    names: tuple[str, ...]
    zero: tuple[str, ...]
    share: float
    trial: Trial | None


def measure(scene: Scene) -> Symmetry:
    """Raises NotReplayable, once there is something to look at."""
    embeddings = {id(module.weight) for module in scene.lab.model.modules() if isinstance(module, (nn.Embedding, nn.EmbeddingBag))}
    alike = [name for name, p in scene.lab.model.named_parameters() if p.requires_grad and id(p) not in embeddings and _rows_alike(p)]
    if not alike:
        return Symmetry((), (), 0.0, None)
    twin = scene.lab.now()
    twin.gradients(scene.last)
    parameters = dict(twin.model.named_parameters())
    names = [name for name in alike if _stays(parameters[name], twin)]
    if not names:
        return Symmetry((), (), 0.0, None)
    size = sum(p.numel() for p in parameters.values() if p.ndim >= 2 and p.requires_grad)
    share = sum(parameters[name].numel() for name in names) / max(size, 1)
    zero = tuple(name for name in names if not bool(parameters[name].any()))
    if len(scene.moments) < 2:
        raise NotExamined("too few steps were recorded to try another start")
    trial = scene.lab.trial("a random start", start_again, scene.moments[:8], from_start=True, steps=STEPS)
    return Symmetry(tuple(names), zero, share, trial)


def _rows_alike(weight: Tensor) -> bool:
    if weight.ndim < 2 or weight.shape[0] < 2 or not weight.is_floating_point():
        return False
    rows = weight.detach().flatten(1)
    return bool(torch.equal(rows[0], rows[-1])) and bool((rows == rows[:1]).all())


def _stays(weight: Tensor, twin: Twin) -> bool:
    """Whether every row gets the same gradient (to rounding)."""
    grad = weight.grad
    if grad is None or grad.is_sparse:
        return False
    rows = grad.detach().double().flatten(1)
    return bool(((rows - rows[:1]).norm(dim=1) <= 1e-5 * rows.norm(dim=1).amax()).all())
