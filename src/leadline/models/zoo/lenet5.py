"""LeNet-5, the first convolutional network in daily use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import num_outputs
from leadline.models.suggestions import batch_for, epochs_for
from leadline.record.ports import Classes, Images, Port, Values

if TYPE_CHECKING:
    from torch import nn


class LeNet5(Model):
    """LeNet-5 as LeCun, Bottou, Bengio and Haffner published it in 1998, for pictures of digits.

    Faithful to the paper: trainable subsampling, scaled tanh, the sparse connections of its third layer, 60,000 weights before the head.
    Only the last layer is today's: linear, giving logits. Images are brought to its 32 x 32 pixels (smaller ones framed, larger ones
    scaled down). It has no settings; for scores rather than history take `cnn`.
    """

    takes = (Images,)
    gives = (Classes, Values)

    class Spec(Settings):
        """No settings."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.lenet5 import LeNet5Net

        return LeNet5Net(cast(Images, takes).channels, num_outputs(gives))

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Saturating units learn slowly: more passes than `cnn`."""
        return {
            "train.epochs": epochs_for(num_examples, seen=400_000, least=10, most=60),
            "train.batch_size": batch_for(num_examples, least=16, most=128),
            "train.optimizer.lr": 2e-3,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec()
