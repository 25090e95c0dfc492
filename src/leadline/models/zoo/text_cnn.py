"""One-dimensional convolutions over a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import sequence_of
from leadline.models.suggestions import steps_for
from leadline.record.ports import Classes, Embeddings, Frames, PlaceClasses, Port, Tokens, Values

if TYPE_CHECKING:
    from torch import nn


class TextCNN(Model):
    """Windows of a few words that answer to patterns wherever they stand (Kim 2014).

    Quick, needs little data, and hard to beat from scratch where single phrases tell the class.
    """

    takes = (Tokens, Frames)
    gives = (Classes, Values, PlaceClasses, Embeddings)

    class Spec(Settings):
        """Settings of the convolutions."""

        width: int = Field(default=128, ge=1, le=16384)
        """Features of a token."""
        filters: int = Field(default=100, ge=1, le=16384)
        """Patterns of each window size."""
        sizes: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(default=(3, 4, 5), min_length=1)
        """Tokens that a window sees."""
        dropout: float = Field(default=0.5, ge=0, lt=1)
        """Share of the features that each training step blanks."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.text_cnn import TextCNNNet

        own = cast(TextCNN.Spec, spec)
        settings = {"width": own.width, "filters": own.filters, "sizes": own.sizes, "dropout": own.dropout}
        return TextCNNNet(sequence_of(takes), gives, **settings)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """It learns quickly and then by heart: few passes."""
        return {**steps_for(num_examples, batch_size=32, steps=1500, most=20), "train.optimizer.lr": 1e-3}

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(width=16, filters=8, sizes=(3,))
