"""The transformer encoder: every place sees every other."""

from __future__ import annotations

from torch import Tensor, nn

from leadline.models.nets.network import Network
from leadline.models.nets.sequence import Ends, lengths_of, mean_of, real
from leadline.models.nets.transformer import Block, Embedding, Style, initialise, norm, turn_for
from leadline.record.ports import Classes, Embeddings, Frames, Port, Tokens, Values


class EncoderNet(Network):
    """Tokens or frames through blocks of attention; then one answer for the mean of all real places, or one for each place."""

    def __init__(self, takes: Tokens | Frames, gives: Port, style: Style) -> None:
        super().__init__()
        self.takes, self.style, self.whole = takes, style, isinstance(gives, Classes | Values | Embeddings)
        is_tokens = isinstance(takes, Tokens)
        self.embedding = Embedding(
            style, vocabulary=takes.vocabulary if is_tokens else None, features=None if is_tokens else takes.features, length=takes.length
        )
        self.layers = nn.ModuleList([Block(style, causal=False) for _ in range(style.depth)])
        self.norm = norm(style) if style.before else nn.Identity()
        initialise(self, style.depth)
        self.out = Ends(style.width, gives)

    @property
    def head(self) -> nn.Module:
        return self.out

    def blocks(self) -> list[nn.Module]:
        return [self.embedding, *self.layers, self.norm]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """x: ids (B, T), or frames (B, T, features) with their lengths (B,)."""
        long = lengths_of(self.takes, x, lengths)
        mask = real(long, x.shape[1])
        states = self.embedding(x)
        turn = turn_for(self.style, 0, x.shape[1], x.device)
        for block in self.layers:
            states = block(states, mask=mask, turn=turn)
        states = self.norm(states)
        return self.out(mean_of(states, long) if self.whole else states)
