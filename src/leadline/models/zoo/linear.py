"""Linear models: the first thing to compare a network with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import num_outputs
from leadline.models.suggestions import batch_for, epochs_for
from leadline.record.ports import Classes, Images, Port, Rows, Values

if TYPE_CHECKING:
    from torch import nn


class Linear(Model):
    """Softmax regression for classes, linear regression for values: one layer, no hidden ones.

    Takes table rows (numbers as they are, categories one-hot) or images (pixels in a row). It finds the best straight line through the
    features and nothing more, in seconds: what a network scores above it is what the network has learned. It has no settings.
    """

    takes = (Images, Rows)
    gives = (Classes, Values)

    class Spec(Settings):
        """No settings."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.columns import encoder
        from leadline.models.nets.linear import LinearNet

        return LinearNet(encoder(takes, "one_hot"), num_outputs(gives))

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """A convex problem: a high rate is safe on standardised columns; the many pixels of an image add up and want a lower one."""
        return {
            "train.epochs": epochs_for(num_examples, seen=600_000, least=10, most=200),
            "train.batch_size": batch_for(num_examples, least=32, most=256),
            "train.optimizer.lr": 1e-3 if isinstance(takes, Images) else 1e-2,
            "train.optimizer.weight_decay": 1e-4,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec()
