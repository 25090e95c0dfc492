"""The causal transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import tokens_of, transformer_style
from leadline.models.suggestions import steps_for
from leadline.models.transformers_options import TransformerSettings
from leadline.record.ports import NextTokens, Port, Tokens

if TYPE_CHECKING:
    from torch import nn


class GPT(Model):
    """A transformer decoder that writes: each place sees those before it and foretells the next token (Radford et al. 2019).

    Four blocks of width 128 learn small corpora on a CPU in minutes; `model.depth`, `model.width` and `data.text.length` make it larger.
    """

    takes = (Tokens,)
    gives = (NextTokens,)

    class Spec(TransformerSettings):
        """Settings of the causal transformer."""

        dropout: float = Field(default=0.0, ge=0, lt=1)
        """Share of what each part adds that a training step blanks; of use where a small corpus is passed over many times."""
        tied: bool = False
        """Use one matrix for the tokens that go in and those that come out: fewer weights where the vocabulary is large."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Share of the features that each training step blanks."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.gpt import GPTNet

        own = cast(GPT.Spec, spec)
        assert isinstance(gives, NextTokens)
        return GPTNet(tokens_of(takes), gives.vocabulary, transformer_style(own), tied=own.tied)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """A rate that small transformers bear, and enough steps for what they can hold."""
        return {
            **steps_for(num_examples, batch_size=32, steps=3000, most=100),
            "train.optimizer.lr": 2e-3,
            "train.optimizer.weight_decay": 0.1,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(width=16, heads=2, depth=1)
