"""Batch norm with the statistics of the whole batch, over all processes: torch's own on GPUs, a plain one on CPUs (which torch's refuses).

Axes: B batch, C channels, the rest space.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from leadline.base import find
from leadline.base.errors import InputError

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
TIMM = "BatchNormAct2d"  # timm's batch norm, which holds dropout and activation too


class SharedBatchNorm(_BatchNorm):
    """A batch norm that stands in for torch's in a data-parallel run on CPUs; parameters, buffers and their names are the replaced one's.

    The mean comes first and the squared distances from it second: two small exchanges, and no difference of large numbers.
    An empty batch takes part in the exchanges and adds nothing.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """input: (B, C, ...) -> the same shape."""
        if not self.training:
            return super().forward(input)
        wide = input.float()  # sums of half-precision numbers would lose the small ones
        axes = [axis for axis in range(input.ndim) if axis != 1]
        size = wide.new_full((1,), input.numel() / input.shape[1])
        sums_C1 = all_reduce(torch.cat([wide.sum(axes), size]))
        count = sums_C1[-1].detach()
        mean_C = sums_C1[:-1] / count
        shape = [1, -1] + [1] * (input.ndim - 2)
        centred = wide - mean_C.view(shape)
        variance_C = all_reduce(centred.square().sum(axes)) / count
        self._track(mean_C.detach(), variance_C.detach(), count)
        normal = centred * torch.rsqrt(variance_C + self.eps).view(shape)
        scaled = normal if self.weight is None else normal * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any number of axes from two up: the replaced module checked its own."""

    @torch.no_grad()
    def _track(self, mean_C: torch.Tensor, variance_C: torch.Tensor, count: torch.Tensor) -> None:
        """Move the running statistics; like torch they take the unbiased variance."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(variance_C * (count / (count - 1)), share)


class SharedBatchNormAct(SharedBatchNorm):
    """timm's batch norm with dropout and activation behind it."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """input: (B, C, H, W) -> the same shape."""
        return self.act(self.drop(super().forward(input)))


Shared = TypeVar("Shared", bound=SharedBatchNorm)


def has_batch_norm(model: nn.Module) -> bool:
    """Whether any module's result depends on the other examples of its batch."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())


def synchronise(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with every batch norm's statistics taken over all processes; changed in place, and every name stays.

    Raises InputError LL022 for a batch norm of a library's own making, which would silently see its own share only.
    """
    if device.type == "cuda":
        of_timm = any(type(module).__name__ == TIMM for module in model.modules())
        # torch's conversion would drop the activation that timm's layer holds, without a word.
        return (find.module("timm.layers") if of_timm else nn.SyncBatchNorm).convert_sync_batchnorm(model)
    for path, module in list(model.named_modules()):
        if not isinstance(module, _BatchNorm) or isinstance(module, SharedBatchNorm):
            continue
        replacement = _replacement(module, path)
        if not path:
            return replacement
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, replacement)
    return model


def _replacement(module: _BatchNorm, path: str) -> nn.Module:
    if type(module) in PLAIN:
        return _shared(module, SharedBatchNorm)
    if type(module).__name__ == TIMM:
        shared = _shared(module, SharedBatchNormAct)
        shared.drop, shared.act = module.get_submodule("drop"), module.get_submodule("act")
        return shared
    raise InputError(
        "LL022",
        f"layer '{path}' is a {type(module).__name__}, whose statistics cannot be shared between processes on CPUs",
        where="model",
        help="train in one process, or use a model with group or layer norm",
    )


def _shared(module: _BatchNorm, kind: type[Shared]) -> Shared:
    shared = kind(0, eps=module.eps, momentum=module.momentum, affine=False, track_running_stats=False)
    shared.num_features = module.num_features
    shared.affine, shared.track_running_stats = module.affine, module.track_running_stats
    shared.weight, shared.bias = module.weight, module.bias
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        shared.register_buffer(name, getattr(module, name))
    return shared.train(module.training)
