"""DLinear with instance normalisation: slow and fast part of each window, one linear map each.

Axes: B batch, T steps looked back on, H steps told, C columns.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.models.nets.network import Network

STILL = 1e-5  # variance of a standardised window that does not move, as in RevIN


class DLinearNet(Network):
    """(B, T, C) and lengths to (B, num_values): step by step, in each step the columns; T shorter than `window` is filled up with zeros.

    Where num_values is no multiple of the columns, values are not steps of them: one map then reads all columns together.
    """

    def __init__(
        self,
        columns: int,
        window: int,
        num_values: int,
        *,
        trend: int,
        normalise: Literal["instance", "last", "none"],
        dropout: float,
    ) -> None:
        super().__init__()
        self.window, self.trend, self.normalise = window, trend, normalise
        self.by_column = num_values % columns == 0
        reads, tells = (window, num_values // columns) if self.by_column else (window * columns, num_values)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(reads * (2 if trend else 1), tells)
        with torch.no_grad():  # the mean of the window at first, as in the authors' code: a sound forecast from the first step on
            self.output.weight.fill_(1 / reads)
            self.output.bias.zero_()

    @property
    def head(self) -> nn.Module:
        return self.output

    def blocks(self) -> list[nn.Module]:
        return []

    def forward(self, x_BTC: Tensor, lengths_B: Tensor) -> Tensor:
        """Values (B, num_values)."""
        x_BCT = F.pad(x_BTC, (0, 0, 0, self.window - x_BTC.shape[1])).transpose(1, 2)
        shift_BC1, scale_BC1 = self._norm(x_BCT)
        parts_BCT = self._parts((x_BCT - shift_BC1) / scale_BC1)
        if not self.by_column:
            return self.output(self.dropout(parts_BCT.flatten(1)))
        told_BCH = self.output(self.dropout(parts_BCT)) * scale_BC1 + shift_BC1
        return told_BCH.transpose(1, 2).flatten(1)

    def _norm(self, x_BCT: Tensor) -> tuple[Tensor, Tensor]:
        """What each column of a window is shifted and scaled by; the network learns none of it."""
        if self.normalise == "instance":
            variance, mean = torch.var_mean(x_BCT.detach(), dim=2, keepdim=True, correction=0)
            return mean, (variance + STILL).sqrt()
        one = torch.ones_like(x_BCT[..., :1])
        return (x_BCT[..., -1:].detach() if self.normalise == "last" else torch.zeros_like(one)), one

    def _parts(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) as it is, or (B, C, 2 T): the slow part, then the rest."""
        if not self.trend:
            return x_BCT
        before = (self.trend - 1) // 2
        wide = F.pad(x_BCT, (before, self.trend - 1 - before), mode="replicate")
        slow = F.avg_pool1d(wide, self.trend, stride=1)
        return torch.cat([slow, x_BCT - slow], dim=2)
