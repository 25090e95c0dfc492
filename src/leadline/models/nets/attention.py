"""Multi-head attention, by one kernel or step by step; self, causal and across two sequences; with a cache for writing.

Axes: B batch, T places that ask, S places that are asked, H heads, W width, D = W / H width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Way = Literal["fused", "textbook"]


@dataclass
class Cache:
    """Keys and values (B, H, S, D) of what was read so far, by the number of the layer."""

    keys: dict[int, Tensor] = field(default_factory=dict)
    values: dict[int, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Places read so far."""
        return next(iter(self.keys.values())).shape[2] if self.keys else 0

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of the layer, the new ones behind the old."""
        if layer in self.keys:
            key, value = torch.cat([self.keys[layer], key], dim=2), torch.cat([self.values[layer], value], dim=2)
        self.keys[layer], self.values[layer] = key, value
        return key, value

    def pick(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order: for beams."""
        self.keys = {layer: part[rows] for layer, part in self.keys.items()}
        self.values = {layer: part[rows] for layer, part in self.values.items()}


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, causal: bool, dropout: float, way: Way) -> Tensor:
    """softmax(Q K' / sqrt(D)) V (Vaswani et al. 2017, equation 1). query: (B, H, T, D); key, value: (B, H, S, D).

    mask: bool, broadcast to (B, H, T, S), True where one may look. causal: place t sees places up to t, counted from the end of S.
    way: one kernel of torch, or the formula as it is written, which is faster for short sequences on some processors.
    """
    if way == "fused":
        ahead = causal and mask is None and query.shape[2] > 1
        return F.scaled_dot_product_attention(query, key, value, mask, dropout_p=dropout, is_causal=ahead)
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    if causal and query.shape[2] > 1:
        scores = scores + _future(query.shape[2], key.shape[2], scores)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return F.dropout(scores.softmax(-1), dropout) @ value


def _future(asking: int, asked: int, like: Tensor) -> Tensor:
    """(T, S) minus infinity where a place would see what comes behind it, 0 elsewhere."""
    later = torch.ones(asking, asked, dtype=torch.bool, device=like.device).triu(asked - asking + 1)
    return torch.zeros(asking, asked, dtype=like.dtype, device=like.device).masked_fill(later, float("-inf"))


class Attention(nn.Module):
    """Multi-head attention with biases. way: see `attend`; may be changed at any time.

    weights are named as they are used: query, key_value (or all three in one for attention within a sequence), out.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0, causal: bool = False, across: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} cannot be shared among {heads} heads")
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.way: Way = "fused"
        self.across = across
        self.query = nn.Linear(width, width) if across else None
        self.inward = nn.Linear(width, 2 * width if across else 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x_BTW: Tensor,
        other_BSW: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        turn: Tensor | None = None,
        cache: Cache | None = None,
        layer: int = 0,
    ) -> Tensor:
        """(B, T, W). other_BSW: the sequence to look at, where `across`. mask: (B, S) bool, True for real places.

        turn: (T, D) angles of rotary positions. cache: of earlier places; what is new is added to it.
        """
        query, key, value = self._parts(x_BTW, other_BSW)
        if turn is not None:
            query, key = rotated(query, turn), rotated(key, turn)
        if cache is not None and not self.across:
            key, value = cache.extend(layer, key, value)
        seen = None if mask is None else mask[:, None, None, :]
        if seen is not None and self.causal and x_BTW.shape[1] > 1:
            past = torch.ones(x_BTW.shape[1], key.shape[2], dtype=torch.bool, device=x_BTW.device)
            seen = seen & past.tril(key.shape[2] - x_BTW.shape[1])
        dropout = self.dropout if self.training else 0.0
        mixed = attend(query, key, value, seen, causal=self.causal, dropout=dropout, way=self.way)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _parts(self, x: Tensor, other: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Query (B, H, T, D), key and value (B, H, S, D)."""
        if self.query is None:
            query, key, value = self.inward(x).chunk(3, dim=-1)
        else:
            assert other is not None, "attention across two sequences needs the second"
            query = self.query(x)
            key, value = self.inward(other).chunk(2, dim=-1)
        return tuple(part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))  # type: ignore[return-value]


def rotated(x_BHTD: Tensor, angles_TD: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021): pairs of features turned by an angle that grows with the place."""
    one, two = x_BHTD.chunk(2, dim=-1)
    half = angles_TD[:, : one.shape[-1]]
    cos, sin = half.cos().to(one.dtype), half.sin().to(one.dtype)
    return torch.cat([one * cos - two * sin, two * cos + one * sin], dim=-1)


def angles(places: Tensor, width: int, *, base: float = 10_000.0) -> Tensor:
    """(T, width / 2) radians: place times base^(-2i / width)."""
    steps = torch.arange(0, width, 2, device=places.device, dtype=torch.float32) / width
    return places[:, None].float() * base**-steps
