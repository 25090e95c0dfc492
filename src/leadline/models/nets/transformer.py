"""The transformer's block and what stands around the blocks: positions, norms, the feed-forward part.

Axes: B batch, T places, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.models.nets.attention import Attention, Cache, angles

Positions = Literal["learned", "sinusoidal", "rotary", "none"]


@dataclass(frozen=True)
class Style:
    """How a transformer is built. before: norms stand before each part (pre-norm), else behind it; gated: SwiGLU, else GELU.

    dropout acts on what each part adds, and not on the weights of attention: that would cost a third of the time on a CPU.
    """

    width: int
    heads: int
    depth: int
    dropout: float = 0.1
    positions: Positions = "learned"
    norm: Literal["layer", "rms"] = "layer"
    before: bool = True
    gated: bool = False
    growth: float = 4.0


class FeedForward(nn.Module):
    """Two linear layers with GELU between, or SwiGLU (Shazeer 2020), whose width is cut so that it has about as many weights."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        inner = int(style.growth * style.width * (2 / 3 if style.gated else 1))
        self.gated = style.gated
        self.inward = nn.Linear(style.width, 2 * inner if style.gated else inner)
        self.out = nn.Linear(inner, style.width)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """(B, T, W)."""
        inner = self.inward(x_BTW)
        if self.gated:
            value, gate = inner.chunk(2, dim=-1)
            return self.out(value * F.silu(gate))
        return self.out(F.gelu(inner))


def norm(style: Style) -> nn.Module:
    """The norm over each place's features."""
    return nn.LayerNorm(style.width) if style.norm == "layer" else nn.RMSNorm(style.width, eps=1e-5)


class Block(nn.Module):
    """Attention within the sequence, attention to another one where there is one, and the feed-forward part, each added to its input."""

    def __init__(self, style: Style, *, causal: bool, across: bool = False) -> None:
        super().__init__()
        self.before = style.before
        self.attention = Attention(style.width, style.heads, causal=causal)
        self.norm_attention = norm(style)
        self.across = Attention(style.width, style.heads, across=True) if across else None
        self.norm_across = norm(style) if across else None
        self.feed = FeedForward(style)
        self.norm_feed = norm(style)
        self.drop = nn.Dropout(style.dropout)

    def forward(
        self,
        x_BTW: Tensor,
        other_BSW: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        other_mask: Tensor | None = None,
        turn: Tensor | None = None,
        cache: Cache | None = None,
        layer: int = 0,
    ) -> Tensor:
        """(B, T, W). mask, other_mask: (B, T) and (B, S) bool, True for real places."""
        x = self._added(x_BTW, self.norm_attention, lambda y: self.attention(y, mask=mask, turn=turn, cache=cache, layer=layer))
        if self.across is not None and self.norm_across is not None:
            across = self.across
            x = self._added(x, self.norm_across, lambda y: across(y, other_BSW, mask=other_mask))
        return self._added(x, self.norm_feed, self.feed)

    def _added(self, x: Tensor, norm: nn.Module, part) -> Tensor:  # type: ignore[no-untyped-def]
        return x + self.drop(part(norm(x))) if self.before else norm(x + self.drop(part(x)))


class Embedding(nn.Module):
    """Token ids or numbers over time to (B, T, W), with positions added unless they are rotary."""

    def __init__(self, style: Style, *, vocabulary: int | None, features: int | None, length: int) -> None:
        """vocabulary: of ids, or features: of frames; one of the two. length: most places."""
        super().__init__()
        self.tokens = None if vocabulary is None else nn.Embedding(vocabulary, style.width)
        self.frames = None if features is None else nn.Linear(features, style.width)
        self.scale = math.sqrt(style.width) if style.positions == "sinusoidal" else 1.0
        self.places = nn.Embedding(length, style.width) if style.positions == "learned" else None
        table = sinusoids(length, style.width) if style.positions == "sinusoidal" else None
        self.register_buffer("sines", table, persistent=False)
        self.drop = nn.Dropout(style.dropout)

    def forward(self, x: Tensor, *, start: int = 0) -> Tensor:
        """x: ids (B, T) or frames (B, T, features). start: the place of the first."""
        part = self.tokens if self.tokens is not None else self.frames
        assert part is not None
        found: Tensor = part(x) * self.scale
        places = torch.arange(start, start + x.shape[1], device=x.device)
        if self.places is not None:
            found = found + self.places(places)
        elif isinstance(self.sines, Tensor):
            found = found + self.sines[places].to(found.dtype)
        return self.drop(found)


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sines in the even features, cosines in the odd ones, of places over wavelengths 2 pi to 10,000 * 2 pi."""
    turn = angles(torch.arange(length), width + width % 2)
    return torch.stack([turn.sin(), turn.cos()], dim=-1).flatten(1)[:, :width]


def turn_for(style: Style, start: int, count: int, device: torch.device) -> Tensor | None:
    """(count, D / 2) angles of rotary positions; None for others."""
    if style.positions != "rotary":
        return None
    return angles(torch.arange(start, start + count, device=device), style.width // style.heads)


def initialise(module: nn.Module, depth: int) -> None:
    """GPT-2's: normal weights of deviation 0.02, those that add to the main stream smaller by sqrt(2 * depth) (Radford et al. 2019)."""
    for name, weight in module.named_parameters():
        if weight.ndim < 2:
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            continue
        is_added = name.endswith(("attention.out.weight", "across.out.weight", "feed.out.weight"))
        nn.init.normal_(weight, std=0.02 / math.sqrt(2 * depth) if is_added else 0.02)
