"""LeNet-5 as published (LeCun, Bottou, Bengio, Haffner 1998): trainable subsampling, the sparse C3, scaled tanh.

One thing differs: the last layer is linear and gives logits, where the paper measures distances to fixed bitmaps of the characters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.models.nets.network import Network

SIDE = 32  # the paper's input: 28-pixel digits in a frame of 2

# The paper's Table I: which of the six maps of S2 each of the sixteen maps of C3 sees.
SEES = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3): f(1) = 1 and f(-1) = -1, where the second derivative is largest (the paper's appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """(B, C, H, W) to (B, C, H/2, W/2): the sum of each 2x2 window times a trainable coefficient plus a bias, one pair per map."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((maps,), 0.25))  # begins as the plain average
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        sums = 4 * F.avg_pool2d(x_BCHW, 2)
        return sums * self.coefficient[:, None, None] + self.bias[:, None, None]


class SparseConvolution(nn.Module):
    """5x5 convolution in which an output map sees only some input maps: one 5x5 kernel per connection of `SEES`, 60 in all."""

    positions: Tensor

    def __init__(self) -> None:
        super().__init__()
        pairs = [6 * out + seen for out, inputs in enumerate(SEES) for seen in inputs]
        self.register_buffer("positions", torch.tensor(pairs), persistent=False)
        bounds = torch.cat([torch.full((len(inputs), 1, 1), _bound(25 * len(inputs))) for inputs in SEES])
        self.kernels = nn.Parameter((torch.rand(len(pairs), 5, 5) * 2 - 1) * bounds)
        self.bias = nn.Parameter(torch.zeros(16))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        weight = torch.zeros(96, 5, 5, dtype=self.kernels.dtype, device=self.kernels.device).index_copy(0, self.positions, self.kernels)
        return F.conv2d(x_BCHW, weight.view(16, 6, 5, 5), self.bias)


def _bound(fan_in: int) -> float:
    """The paper's initialisation: uniform within 2.4 / fan-in."""
    return 2.4 / fan_in


class LeNet5Net(Network):
    """C1 S2 C3 S4 C5 F6 and a linear head; for one channel 60,000 weights before the head, as in the paper."""

    def __init__(self, channels: int, num_outputs: int) -> None:
        super().__init__()
        self.stage_1 = nn.Sequential(nn.Conv2d(channels, 6, 5), ScaledTanh(), Subsampling(6), ScaledTanh())
        self.stage_2 = nn.Sequential(SparseConvolution(), ScaledTanh(), Subsampling(16), ScaledTanh())
        self.stage_3 = nn.Sequential(nn.Conv2d(16, 120, 5), ScaledTanh(), nn.Flatten())
        self.stage_4 = nn.Sequential(nn.Linear(120, 84), ScaledTanh())
        self.output = nn.Linear(84, num_outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.uniform_(layer.weight, -_bound(layer.weight[0].numel()), _bound(layer.weight[0].numel()))
                nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]  (all these layers have one)

    @property
    def head(self) -> nn.Module:
        return self.output

    def blocks(self) -> list[nn.Module]:
        return [self.stage_1, self.stage_2, self.stage_3, self.stage_4]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Outputs (B, num_outputs). Images up to 32 pixels stand in the middle of a 32x32 frame, larger ones are scaled down to it."""
        x = self.stage_2(self.stage_1(_framed(x_BCHW)))
        return self.output(self.stage_4(self.stage_3(x)))


def _framed(x_BCHW: Tensor) -> Tensor:
    high, wide = x_BCHW.shape[-2:]
    if high > SIDE or wide > SIDE:
        scale = SIDE / max(high, wide)
        size = (max(1, round(high * scale)), max(1, round(wide * scale)))
        x_BCHW = F.interpolate(x_BCHW, size=size, mode="bilinear", antialias=True)
        high, wide = size
    left, top = (SIDE - wide) // 2, (SIDE - high) // 2
    return F.pad(x_BCHW, (left, SIDE - wide - left, top, SIDE - high - top))
