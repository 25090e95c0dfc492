"""The plain convolutional network: three blocks that halve the image, the largest value of each map, a linear head.

Pooling stands before norm and activation: the same result for rising activations at a quarter of their cost.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from leadline.models.nets.network import Network
from leadline.models.nets.parts import activation, image_norm
from leadline.models.options import Activation, Norm


@dataclass(frozen=True)
class Style:
    """What all layers of a convolutional network share."""

    activation: Activation = "relu"
    norm: Norm = "batch"
    dropout: float = 0.0
    drop_path: float = 0.0


def convolution(maps_in: int, maps_out: int, style: Style, *, pool: bool = False) -> nn.Sequential:
    """3x3 convolution, then pooling by 2 where asked for, norm, activation. A norm brings its own bias, so the convolution has none."""
    layers: list[nn.Module] = [nn.Conv2d(maps_in, maps_out, 3, padding=1, bias=style.norm == "none")]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, image_norm(style.norm, maps_out), activation(style.activation))


class CNNNet(Network):
    """(B, C, H, W) to (B, num_outputs). H and W: 8 at least, for the three halvings."""

    def __init__(self, channels: int, num_outputs: int, *, widths: tuple[int, int, int], style: Style) -> None:
        super().__init__()
        first, second, third = widths
        # The first block has one convolution: at full resolution a second one would cost more than the rest together.
        self.features = nn.Sequential(
            convolution(channels, first, style, pool=True),
            nn.Sequential(convolution(first, second, style, pool=True), convolution(second, second, style)),
            nn.Sequential(convolution(second, third, style, pool=True), convolution(third, third, style)),
        )
        self.dropout = nn.Dropout(style.dropout)
        self.output = nn.Linear(third, num_outputs)

    @property
    def head(self) -> nn.Module:
        return self.output

    def blocks(self) -> list[nn.Module]:
        return list(self.features)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Outputs (B, num_outputs)."""
        strongest_BC = self.features(x_BCHW).amax(dim=(2, 3))
        return self.output(self.dropout(strongest_BC))
