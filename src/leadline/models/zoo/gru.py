"""A gated recurrent network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.recurrent_options import RecurrentSettings, build_recurrent, suggest_recurrent
from leadline.record.ports import Classes, Embeddings, Frames, NextTokens, PlaceClasses, Port, Tokens, Values

if TYPE_CHECKING:
    from torch import nn


class GRU(Model):
    """A gated recurrent network over tokens or frames, stacked, one way or both.

    An LSTM with fewer gates (Cho et al. 2014): a quarter fewer weights, and mostly as good.
    """

    takes = (Tokens, Frames)
    gives = (Classes, Values, PlaceClasses, NextTokens, Embeddings)

    class Spec(RecurrentSettings):
        """Settings of a gated recurrent network."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        return build_recurrent("gru", cast(GRU.Spec, spec), takes, gives)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """What recurrent networks learn well with."""
        return suggest_recurrent(takes, num_examples)

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(width=16, depth=1)
