"""The plain convolutional network, quick on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.options import Activation, Norm
from leadline.models.shapes import images_of, num_outputs
from leadline.models.suggestions import batch_for, epochs_for
from leadline.record.ports import Classes, Images, Port, Values

if TYPE_CHECKING:
    from torch import nn

Width = Annotated[int, Field(ge=1, le=4096)]


class CNN(Model):
    """A convolutional network of three blocks, each halving the image; then the strongest answer of each map, and a linear head.

    Made for small pictures (28 to 64 pixels) on a CPU: two and a half minutes of one core took it to 93 % on 60,000 clothes of
    28 pixels. For colour pictures of 32 pixels take `resnet_small`, which has more layers and costs more; for photographs
    use a library's network with `pretrained: true`.
    """

    takes = (Images,)
    gives = (Classes, Values)

    class Spec(Settings):
        """Settings of the plain convolutional network."""

        widths: tuple[Width, Width, Width] = (32, 64, 128)
        """Maps of the three blocks."""
        activation: Activation = "relu"
        """Activation after each norm."""
        norm: Norm = "batch"
        """Norm after each convolution."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Share of the features before the head that each training step blanks."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.cnn import CNNNet, Style

        own, images = cast(CNN.Spec, spec), images_of(takes, at_least=8, name="cnn")
        style = Style(own.activation, own.norm, own.dropout)
        return CNNNet(images.channels, num_outputs(gives), widths=own.widths, style=style)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """The rate and batch were measured on 28-pixel digits and clothes, where 6 passes sufficed."""
        return {
            "train.epochs": epochs_for(num_examples, seen=56_000, least=8, most=40),
            "train.batch_size": batch_for(num_examples, least=32, most=128),
            "train.optimizer.lr": 8e-3,
            "train.schedule.warmup": 0.2,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(widths=(4, 8, 8))
