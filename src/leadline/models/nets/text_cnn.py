"""One-dimensional convolutions over tokens or frames (Kim 2014).

Axes: B batch, T places, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.models.nets.network import Network
from leadline.models.nets.sequence import Ends, lengths_of, real
from leadline.record.ports import Classes, Embeddings, Frames, Port, Tokens, Values


class TextCNNNet(Network):
    """Windows of several sizes over the sequence; the strongest answer of each pattern anywhere, or the patterns at each place."""

    def __init__(self, takes: Tokens | Frames, gives: Port, *, width: int, filters: int, sizes: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.takes, self.whole = takes, isinstance(gives, Classes | Values | Embeddings)
        self.embedding = nn.Embedding(takes.vocabulary, width) if isinstance(takes, Tokens) else nn.Linear(takes.features, width)
        if isinstance(self.embedding, nn.Embedding):
            nn.init.normal_(self.embedding.weight, std=0.1)
        self.drop = nn.Dropout(dropout)
        self.windows = nn.ModuleList([nn.Conv1d(width, filters, size, padding=size // 2) for size in sizes])
        self.out = Ends(filters * len(sizes), gives)

    @property
    def head(self) -> nn.Module:
        return self.out

    def blocks(self) -> list[nn.Module]:
        return [self.embedding, self.windows]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """x: ids (B, T), or frames (B, T, features) with their lengths (B,)."""
        kept = real(lengths_of(self.takes, x, lengths), x.shape[1])[:, None]
        inputs = self.drop(self.embedding(x)).transpose(1, 2) * kept  # (B, W, T); padding is silence to the windows
        found = torch.cat([window(inputs)[..., : x.shape[1]].relu() for window in self.windows], dim=1) * kept
        return self.out(self.drop(found.amax(2) if self.whole else found.transpose(1, 2)))
