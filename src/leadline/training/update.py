"""From gradients to new weights: measured, clipped, checked for what is not finite, and only then applied."""

# pyright: reportPrivateImportUsage=false
# torch's foreach functions are the way to treat all parameters in one call; they have no public name.

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch

from leadline.doctor.ears import tell
from leadline.training.optim import Optimizers
from leadline.training.settings import TrainSpec

LEAST_SCALE = 2.0**-14  # of the fp16 loss: if gradients overflow even here, scaling is not what is wrong


class Made(NamedTuple):
    """What became of the gradients. norm, clipped: of all together, before and after clipping; floats where the host has looked.

    skipped: the host left the step out; tripped: for a loss or gradient that is not finite (an overflow that fp16's scale answers is none).
    """

    norms: torch.Tensor
    norm: float | torch.Tensor
    clipped: float | torch.Tensor
    skipped: bool = False
    tripped: bool = False


class Gradients(NamedTuple):
    """The gradients of one step with their parameters' names, and the loss that they come from (a scalar)."""

    names: tuple[str, ...]
    tensors: list[torch.Tensor]
    loss: torch.Tensor


class Updater:
    """Applies gradients. skip: scalar on the device, 1 where the last step was left out; None where the host decides.

    Where the host can look at the norm without waiting (CPUs), it decides whether to step. On a GPU with fused optimizers the device
    decides: the first bad step and all after it change nothing, and `tripped_at` tells which it was. Optimizers that are not fused,
    and on_nonfinite=skip, wait for the GPU once a step.
    """

    def __init__(self, settings: TrainSpec, *, scaler: torch.amp.GradScaler | None, device: torch.device, on_device: bool) -> None:
        """scaler: fp16's. on_device: let the device decide; every optimizer must be fused."""
        self.limit = settings.clip_norm
        self.scaler = scaler
        self.skip: torch.Tensor | None = None
        self._trip = torch.full((), -1, device=device) if on_device else None

    def apply(self, optimizers: Optimizers, gradients: Gradients, *, step: int) -> Made:
        """Make step number `step` of these optimizers, or leave it out."""
        norms = torch.stack(torch._foreach_norm(gradients.tensors))
        decide = self._decide_here if self._trip is None else self._decide_on_device
        made = decide(optimizers, gradients, norms, step)
        if self.scaler is not None:
            self.scaler.update()
        return made

    def tripped_at(self, step: int) -> int | None:
        """The first step up to `step` that the device left out for something not finite; None for none. Waits for the device."""
        if self._trip is None:
            return None
        first = int(self._trip)
        if first >= 0:
            return first
        return step if self._scale_is_lost() else None

    def _decide_here(self, optimizers: Optimizers, gradients: Gradients, norms: torch.Tensor, step: int) -> Made:
        """Look at norm and loss on the host, then clip and step, or not."""
        del step
        norm, loss_is_finite = math.hypot(*norms.tolist()), math.isfinite(gradients.loss.item())
        if not (loss_is_finite and math.isfinite(norm)):
            # Under fp16 gradients that overflow are how the scale is found; a bad loss, or a scale of nearly 0, is a real fault.
            tripped = self.scaler is None or not loss_is_finite or self._scale_is_lost()
            return Made(norms, norm, norm, skipped=True, tripped=tripped)
        share = 1.0 if self.limit is None else min(1.0, self.limit / (norm + 1e-6))
        if share < 1:
            torch._foreach_mul_(gradients.tensors, share)
        if self.limit is not None:
            tell("on_clip", gradients.tensors, self.limit, norm)
        optimizers.step()
        return Made(norms, norm, norm * share)

    def _decide_on_device(self, optimizers: Optimizers, gradients: Gradients, norms: torch.Tensor, step: int) -> Made:
        """The same without waiting: the optimizers are handed a flag, and once tripped it stays up."""
        assert self._trip is not None
        norm = torch.linalg.vector_norm(norms, dtype=torch.float64)
        finite = norm.isfinite()
        bad = ~gradients.loss.isfinite() if self.scaler is not None else ~(finite & gradients.loss.isfinite())
        self._trip = torch.where(bad & (self._trip < 0), step, self._trip)
        self.skip = ((self._trip >= 0) | ~finite).float()
        clipped = norm
        if self.limit is not None:
            share = (self.limit / (norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(gradients.tensors, share.float())
            clipped = norm * share
            tell("on_clip", gradients.tensors, self.limit, norm)
        optimizers.step(self.skip)
        return Made(norms, norm, clipped)

    def _scale_is_lost(self) -> bool:
        """Whether fp16 gradients overflow however small the loss is scaled. Waits for the device."""
        return self.scaler is not None and self.scaler.get_scale() < LEAST_SCALE


def can_decide_on_device(optimizers: Mapping[str, Optimizers], settings: TrainSpec, device: torch.device) -> bool:
    """Whether the host need not wait for the device at each step."""
    return device.type == "cuda" and settings.on_nonfinite == "stop" and all(each.fused for each in optimizers.values())
