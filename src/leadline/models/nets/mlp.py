"""The multilayer perceptron: blocks of linear, norm, activation, dropout; then the head."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from leadline.models.nets.columns import Columns, Pixels
from leadline.models.nets.network import Network
from leadline.models.nets.parts import activation, initialise, row_norm
from leadline.models.options import Activation, Init, Norm


@dataclass(frozen=True)
class Style:
    """What all blocks of a perceptron share."""

    activation: Activation = "relu"
    norm: Norm = "none"
    dropout: float = 0.0
    residual: bool = False
    init: Init = "default"


class Block(nn.Module):
    """(B, D_in) to (B, D_out). With residual, the input is added; a linear map without bias brings it to D_out where that differs."""

    def __init__(self, wide_in: int, wide_out: int, style: Style) -> None:
        super().__init__()
        self.linear = nn.Linear(wide_in, wide_out)
        self.norm = row_norm(style.norm, wide_out)
        self.activation = activation(style.activation)
        self.dropout = nn.Dropout(style.dropout)
        self.shortcut: nn.Module | None = None
        initialise(self.linear, style.init, followed_by=style.activation)
        if style.residual:
            self.shortcut = nn.Identity() if wide_in == wide_out else nn.Linear(wide_in, wide_out, bias=False)
            initialise(self.shortcut, style.init, followed_by=None)

    def forward(self, x_BD: Tensor) -> Tensor:
        out_BD = self.dropout(self.activation(self.norm(self.linear(x_BD))))
        return out_BD if self.shortcut is None else out_BD + self.shortcut(x_BD)


class MLPNet(Network):
    """encoder, then one block per hidden width, then the head."""

    def __init__(self, encoder: Columns | Pixels, num_outputs: int, *, hidden: tuple[int, ...], style: Style) -> None:
        super().__init__()
        widths = (encoder.width, *hidden)
        self.encoder = encoder
        self.hidden = nn.Sequential(*(Block(wide_in, wide_out, style) for wide_in, wide_out in pairwise(widths)))
        self.output = nn.Linear(widths[-1], num_outputs)
        initialise(self.output, style.init, followed_by=None)

    @property
    def head(self) -> nn.Module:
        return self.output

    def blocks(self) -> list[nn.Module]:
        learned_encoder = [self.encoder] if next(self.encoder.parameters(), None) is not None else []
        return [*learned_encoder, *self.hidden]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Outputs (B, num_outputs)."""
        return self.output(self.hidden(self.encoder(*inputs)))
