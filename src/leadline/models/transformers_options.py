"""The settings that our transformers share. No torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from leadline.base.spec import Spec


class TransformerSettings(Spec):
    """Width, depth and style of a transformer."""

    width: int = Field(default=128, ge=4, le=16384)
    """Features of each place; a multiple of `heads`."""
    heads: int = Field(default=4, ge=1, le=256)
    """Heads of attention, which share the width."""
    depth: int = Field(default=4, ge=1, le=256)
    """Blocks, one behind the other."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of what each part adds that a training step blanks."""
    positions: Literal["learned", "sinusoidal", "rotary", "none"] = "rotary"
    """How the network knows where a token stands."""
    norm: Literal["layer", "rms"] = "layer"
    """Layer norm, or RMS norm, which only scales."""
    norm_first: bool = True
    """Norms before each part (pre-norm: trains without a long warmup) or behind it, as first published."""
    gated: bool = False
    """SwiGLU in place of GELU in the feed-forward part."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> TransformerSettings:
        if self.width % self.heads or (self.positions == "rotary" and (self.width // self.heads) % 2):
            raise ValueError(f"width {self.width} cannot be shared among {self.heads} heads (rotary positions need an even share)")
        return self
