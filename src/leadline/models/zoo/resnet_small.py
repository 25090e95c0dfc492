"""A small residual network for pictures of about 32 pixels."""

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


class ResNetSmall(Model):
    """A residual network for small pictures (32 to 96 pixels), written to be read: `models/nets/resnet_small.py`.

    A convolution, then stages that halve the image, double the maps and end in residual blocks; the strongest answer of each map, and a
    linear head. Few and wide layers, after the "ResNet-9" of the speed records. For photographs use a library's network with
    `pretrained: true`.
    """

    takes = (Images,)
    gives = (Classes, Values)

    class Spec(Settings):
        """Settings of the small residual network."""

        widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(default=(24, 48, 96, 192), min_length=2, max_length=8)
        """Maps after the first convolution and of each stage; every one halves the image."""
        depth: int = Field(default=1, ge=1, le=64)
        """Residual blocks of each stage, two convolutions each."""
        activation: Activation = "relu"
        """Activation after each norm."""
        norm: Norm = "batch"
        """Norm after each convolution."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Share of the features before the head that each training step blanks."""
        drop_path: float = Field(default=0.0, ge=0, lt=1)
        """Stochastic depth: chance that a training sample skips the deepest residual block; earlier blocks are skipped less often."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.cnn import Style
        from leadline.models.nets.resnet_small import ResNetSmallNet

        own = cast(ResNetSmall.Spec, spec)
        images = images_of(takes, at_least=2 ** len(own.widths), name="resnet_small")
        style = Style(own.activation, own.norm, own.dropout, own.drop_path)
        return ResNetSmallNet(images.channels, num_outputs(gives), widths=own.widths, depth=own.depth, style=style)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Longer than what was measured on 10,000 colour pictures of 32 pixels (10 epochs at widths 24 to 192: 0.73), to go beyond it."""
        return {
            "train.epochs": epochs_for(num_examples, seen=250_000, least=10, most=60),
            "train.batch_size": batch_for(num_examples, least=32, most=128),
            "train.optimizer.lr": 8e-3,
            "train.schedule.warmup": 0.2,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(widths=(4, 8, 8), drop_path=0.1)
