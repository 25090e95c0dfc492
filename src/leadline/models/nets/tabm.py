"""TabM (Gorishniy, Kotelnikov, Babenko, ICLR 2025): many perceptrons in one, on piecewise-linear embeddings of the numbers.

Axes: B batch, K members of the ensemble, C classes or values.
"""

from __future__ import annotations

import math
import warnings

import rtdl_num_embeddings
import tabm
import torch
from torch import Tensor, nn

from leadline.models.nets.network import Network
from leadline.record.ports import Rows


class TabMNet(Network):
    """The package's TabM. Training mode gives every member's outputs (B, K, C), evaluation mode the ensemble's (B, C).

    The ensemble of classifiers is the logarithm of the mean probability, of regressors the mean.
    """

    def __init__(self, port: Rows, *, net: tabm.TabM, mean_of_probabilities: bool) -> None:
        super().__init__()
        self.net = net
        self.mean_of_probabilities = mean_of_probabilities
        self.has_numbers = port.num_numbers > 0
        self.has_categories = bool(port.category_sizes)

    @property
    def head(self) -> nn.Module:
        assert self.net.output is not None
        return self.net.output

    def blocks(self) -> list[nn.Module]:
        embeddings = [self.net.num_module] if self.net.num_module is not None else []
        return [*embeddings, *self.net.backbone.blocks]

    def forward(self, numbers_BN: Tensor, categories_BM: Tensor) -> Tensor:
        """Outputs (B, K, C) in training mode, (B, C) float32 in evaluation mode."""
        outputs_BKC = self.net(numbers_BN if self.has_numbers else None, categories_BM if self.has_categories else None)
        if self.training:
            return outputs_BKC
        return self._ensemble(outputs_BKC.float())

    def _ensemble(self, outputs_BKC: Tensor) -> Tensor:
        if not self.mean_of_probabilities:
            return outputs_BKC.mean(dim=1)
        return torch.logsumexp(outputs_BKC.log_softmax(dim=-1), dim=1) - math.log(outputs_BKC.shape[1])


def number_embeddings(port: Rows, *, width: int, bins: int) -> nn.Module | None:
    """Piecewise-linear embeddings from the port's quantiles, thinned to at most `bins` bins a column; None without number columns."""
    if port.num_numbers == 0:
        return None
    edges = [_thinned(column, bins) for column in (port.bins or _normal_bins(port.num_numbers, bins))]
    with warnings.catch_warnings():
        # One bin is min-max scaling, which is what a column of two values needs.
        warnings.filterwarnings("ignore", message=".*just two bin edges.*")
        return rtdl_num_embeddings.PiecewiseLinearEmbeddings(edges, width, activation=False, version="B")


def _thinned(edges: tuple[float, ...], bins: int) -> Tensor:
    """At most bins + 1 of the edges, evenly taken with both ends kept; a constant column gets one bin of width 1."""
    tensor = torch.tensor(edges, dtype=torch.float32).unique()
    if len(tensor) < 2:
        start = tensor[:1] if len(tensor) else torch.zeros(1)
        return torch.cat([start, start + 1])
    if len(tensor) <= bins + 1:
        return tensor
    return tensor[torch.linspace(0, len(tensor) - 1, bins + 1).round().long()]


def _normal_bins(columns: int, bins: int) -> tuple[tuple[float, ...], ...]:
    """Where the port knows no quantiles: those of the standard normal, since numbers come standardised."""
    shares = torch.linspace(0, 1, bins + 1).clamp(0.001, 0.999)
    return (tuple(torch.special.ndtri(shares).tolist()),) * columns
