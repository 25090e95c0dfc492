"""The causal decoder: blocks that see the past only, and logits of the next token."""

from __future__ import annotations

from torch import Tensor, nn

from leadline.models.nets.attention import Cache
from leadline.models.nets.network import Network
from leadline.models.nets.transformer import Block, Embedding, Style, initialise, norm, turn_for
from leadline.record.ports import Tokens


class GPTNet(Network):
    """Ids (B, T) to logits (B, T, V) (Radford et al. 2019). Padding stands at the end, where no real place sees it."""

    def __init__(self, takes: Tokens, vocabulary: int, style: Style, *, tied: bool) -> None:
        super().__init__()
        self.style, self.longest = style, takes.length
        self.embedding = Embedding(style, vocabulary=takes.vocabulary, features=None, length=takes.length)
        self.layers = nn.ModuleList([Block(style, causal=True) for _ in range(style.depth)])
        self.norm = norm(style) if style.before else nn.Identity()
        self.out = nn.Linear(style.width, vocabulary, bias=False)
        initialise(self, style.depth)
        if tied and self.embedding.tokens is not None:
            self.out.weight = self.embedding.tokens.weight

    @property
    def head(self) -> nn.Module:
        return self.out

    def blocks(self) -> list[nn.Module]:
        return [self.embedding, *self.layers, self.norm]

    def forward(self, ids_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """(B, T, V). cache: of the ids before these; with it only new ids are given, and the logits are theirs."""
        start = 0 if cache is None else cache.length
        x = self.embedding(ids_BT, start=start)
        turn = turn_for(self.style, start, ids_BT.shape[1], ids_BT.device)
        for number, block in enumerate(self.layers):
            x = block(x, turn=turn, cache=cache, layer=number)
        return self.out(self.norm(x))

    def begin(self) -> Cache:
        """An empty memory for writing."""
        return Cache()

    def further(self, ids_BT: Tensor, memory: Cache) -> Tensor:
        """(B, V) logits of what follows new ids, which are added to the memory; when it is full it begins anew with the last half."""
        return self(ids_BT, memory)[:, -1]
