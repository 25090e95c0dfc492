"""The transformer encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import sequence_of, transformer_style
from leadline.models.suggestions import steps_for
from leadline.models.transformers_options import TransformerSettings
from leadline.record.ports import Classes, Embeddings, Frames, PlaceClasses, Port, Tokens, Values

if TYPE_CHECKING:
    from torch import nn


class Encoder(Model):
    """A transformer encoder: each place sees all others (Vaswani et al. 2017), and their mean answers for the whole.

    For texts from scratch `text_cnn` and `lstm` need fewer examples; a pretrained one (`model=transformers/...`) knows a language already.
    """

    takes = (Tokens, Frames)
    gives = (Classes, Values, PlaceClasses, Embeddings)

    class Spec(TransformerSettings):
        """Settings of the transformer encoder."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.encoder import EncoderNet

        return EncoderNet(sequence_of(takes), gives, transformer_style(cast(Encoder.Spec, spec)))

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """A rate that small transformers bear."""
        return {
            **steps_for(num_examples, batch_size=32, steps=1500, most=30),
            "train.optimizer.lr": 5e-4,
            "train.optimizer.weight_decay": 0.05,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(width=16, heads=2, depth=1)
