"""A simple recurrent network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.recurrent_options import RecurrentSettings, build_recurrent, suggest_recurrent
from leadline.record.ports import Classes, Embeddings, Frames, NextTokens, PlaceClasses, Port, Tokens, Values

if TYPE_CHECKING:
    from torch import nn


class RNN(Model):
    """A simple recurrent network over tokens or frames, stacked, one way or both.

    Each state is a mix of the last one and the next token (Elman 1990). It forgets after some ten places, for its
    gradient fades with each step; see lstm.
    """

    takes = (Tokens, Frames)
    gives = (Classes, Values, PlaceClasses, NextTokens, Embeddings)

    class Spec(RecurrentSettings):
        """Settings of a simple recurrent network."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        return build_recurrent("rnn", cast(RNN.Spec, spec), takes, gives)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """What recurrent networks learn well with."""
        return suggest_recurrent(takes, num_examples)

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(width=16, depth=1)
