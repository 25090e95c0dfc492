"""The settings that recurrent networks share, and how one is built. No torch at import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from leadline.base.errors import InputError
from leadline.base.spec import Spec
from leadline.models.shapes import sequence_of
from leadline.models.suggestions import steps_for
from leadline.record.ports import Frames, NextTokens, Port

if TYPE_CHECKING:
    from torch import nn


class RecurrentSettings(Spec):
    """Width, depth and direction of a recurrent network."""

    width: int = Field(default=256, ge=1, le=16384)
    """Features of a state, and of a token."""
    depth: int = Field(default=2, ge=1, le=64)
    """Layers, one upon the other."""
    both_ways: bool | Literal["auto"] = "auto"
    """Read from both ends; auto: yes, but where the next token is to be foretold."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the features that each training step blanks."""


def build_recurrent(cell: Literal["rnn", "lstm", "gru"], spec: RecurrentSettings, takes: Port, gives: Port) -> nn.Module:
    """The network; InputError LL030 where it is to read from both ends what it shall foretell."""
    from leadline.models.nets.recurrent import RecurrentNet

    ahead = isinstance(gives, NextTokens)
    if ahead and spec.both_ways is True:
        text = "model.both_ways = true: a network that reads ahead cannot foretell the next token"
        raise InputError("LL030", text, where="recipe, model", help="leave model.both_ways out")
    both = not ahead if spec.both_ways == "auto" else spec.both_ways
    return RecurrentNet(sequence_of(takes), gives, cell=cell, width=spec.width, depth=spec.depth, both_ways=both, dropout=spec.dropout)


def suggest_recurrent(takes: Port, num_examples: int) -> dict[str, Any]:
    """A rate that gates bear."""
    steps = 1000 if isinstance(takes, Frames) else 3000
    return {**steps_for(num_examples, batch_size=32, steps=steps, most=60), "train.optimizer.lr": 2e-3}
