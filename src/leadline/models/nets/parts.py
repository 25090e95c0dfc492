"""Small parts that several networks share: activations and norms by name, initialisation, stochastic depth.

Axes: B batch, C channels, H height, W width, D width of a row's features.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.models.options import Activation, Init, Norm

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def activation(name: Activation) -> nn.Module:
    """The activation of that name."""
    return _ACTIVATIONS[name]()


def groups_for(channels: int) -> int:
    """The number of groups of a group norm: the largest divisor of the channels up to 8."""
    return next(count for count in range(8, 0, -1) if channels % count == 0)


class RowGroupNorm(nn.GroupNorm):
    """Group norm of (B, D): groups of neighbouring features of one row."""

    def __init__(self, width: int) -> None:
        super().__init__(groups_for(width), width)


class ChannelRMSNorm(nn.Module):
    """RMS norm of (B, C, H, W) over the channels of each pixel (Zhang & Sennrich 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape; each pixel's channels get a root mean square of 1, then their own scale."""
        return F.rms_norm(x_BCHW.movedim(1, -1), self.weight.shape, self.weight).movedim(-1, 1)


def row_norm(name: Norm, width: int) -> nn.Module:
    """The norm of that name for (B, D)."""
    kinds: dict[Norm, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "group": RowGroupNorm, "rms": nn.RMSNorm}
    return nn.Identity() if name == "none" else kinds[name](width)


def image_norm(name: Norm, channels: int) -> nn.Module:
    """The norm of that name for (B, C, H, W); layer norm takes channels and pixels of an image together."""
    if name == "none":
        return nn.Identity()
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "rms":
        return ChannelRMSNorm(channels)
    return nn.GroupNorm(1 if name == "layer" else groups_for(channels), channels)


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training, a sample skips the branch with the chance `rate`; kept ones are scaled up."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Same shape; draws one number per sample from torch's global generator."""
        if not self.training or self.rate == 0:
            return branch
        keep = torch.rand(branch.shape[0], *(1,) * (branch.ndim - 1), device=branch.device) >= self.rate
        return branch * keep.to(branch.dtype) / (1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def initialise(module: nn.Module, how: Init, *, followed_by: Activation | None) -> None:
    """Set the weights of every linear and convolution layer inside; "default" leaves torch's own.

    xavier (Glorot & Bengio 2010) keeps the variance forwards and backwards, he (He et al. 2015) keeps it forwards through ReLU.
    followed_by: the activation whose gain is used; None for a head. Biases become 0.
    """
    if how == "default":
        return
    for layer in module.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        if how == "xavier":
            nn.init.xavier_uniform_(layer.weight, gain=_gain(followed_by))
        else:
            nn.init.normal_(layer.weight, std=_gain(followed_by) / layer.weight[0].numel() ** 0.5)
        if layer.bias is not None:
            nn.init.zeros_(cast(Tensor, layer.bias))


def _gain(followed_by: Activation | None) -> float:
    """torch's recommended gain; ELU, GELU and SiLU, for which it has none, are taken as ReLU, which they resemble."""
    if followed_by is None:
        return 1.0
    like_relu = followed_by in ("elu", "gelu", "silu")
    return nn.init.calculate_gain("relu" if like_relu else followed_by)
