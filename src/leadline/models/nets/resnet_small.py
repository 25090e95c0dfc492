"""A residual network for small pictures: a convolution, then stages that each halve the image and end in residual blocks.

The plan is that of the short "ResNet-9" of the speed records on 32-pixel pictures (Page 2019): few, wide layers train faster than many
narrow ones. Axes: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from leadline.models.nets.cnn import Style, convolution
from leadline.models.nets.network import Network
from leadline.models.nets.parts import DropPath


class Residual(nn.Module):
    """x + two convolutions of x, with the shape kept; in training a sample skips them with the chance `rate`."""

    def __init__(self, maps: int, style: Style, *, rate: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(convolution(maps, maps, style), convolution(maps, maps, style))
        self.drop_path = DropPath(rate)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW + self.drop_path(self.branch(x_BCHW))


class ResNetSmallNet(Network):
    """(B, C, H, W) to (B, num_outputs). H and W: 2 to the power of the number of stages at least."""

    def __init__(self, channels: int, num_outputs: int, *, widths: tuple[int, ...], depth: int, style: Style) -> None:
        super().__init__()
        rates = iter(_rates(style.drop_path, depth * (len(widths) - 1)))
        self.stem = convolution(channels, widths[0], style, pool=True)
        stages = []
        for narrow, wide in pairwise(widths):
            blocks = [Residual(wide, style, rate=next(rates)) for _ in range(depth)]
            stages.append(nn.Sequential(convolution(narrow, wide, style, pool=True), *blocks))
        self.residual_stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(style.dropout)
        self.output = nn.Linear(widths[-1], num_outputs)

    @property
    def head(self) -> nn.Module:
        return self.output

    def blocks(self) -> list[nn.Module]:
        return [self.stem, *self.residual_stages]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Outputs (B, num_outputs)."""
        strongest_BC = self.residual_stages(self.stem(x_BCHW)).amax(dim=(2, 3))
        return self.output(self.dropout(strongest_BC))


def _rates(deepest: float, blocks: int) -> list[float]:
    """Chances to skip each block, rising linearly to the deepest one's (Huang et al. 2016)."""
    return [deepest * (position + 1) / blocks for position in range(blocks)]
