"""A long short-term memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.recurrent_options import RecurrentSettings, build_recurrent, suggest_recurrent
from leadline.record.ports import Classes, Embeddings, Frames, NextTokens, PlaceClasses, Port, Tokens, Values

if TYPE_CHECKING:
    from torch import nn


class LSTM(Model):
    """A long short-term memory over tokens or frames, stacked, one way or both.

    Gates decide what is kept (Hochreiter and Schmidhuber 1997): it remembers over
    hundreds of places, learns well from little data, and is quick on a CPU.
    """

    takes = (Tokens, Frames)
    gives = (Classes, Values, PlaceClasses, NextTokens, Embeddings)

    class Spec(RecurrentSettings):
        """Settings of a long short-term memory."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        return build_recurrent("lstm", cast(LSTM.Spec, spec), takes, gives)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """What recurrent networks learn well with."""
        return suggest_recurrent(takes, num_examples)

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(width=16, depth=1)
