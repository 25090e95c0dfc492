"""Every image classifier of the library torchvision, by its name there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import num_outputs
from leadline.models.suggestions import for_library
from leadline.record.ports import Classes, Images, Port, Values

if TYPE_CHECKING:
    from torch import nn


class Torchvision(Model):
    """The classifiers of torchvision: `torchvision/resnet50`, `torchvision/alexnet`, `torchvision/vit_b_16` and some 75 more.

    With `pretrained: true` their published weights are downloaded and the head is made anew for your classes. They are made for colour:
    grey images are repeated to three channels. Images that are too small for a network are enlarged inside it.
    """

    takes = (Images,)
    gives = (Classes, Values)

    class Spec(Settings):
        """Settings of a network of torchvision."""

        variant: str = "resnet18"
        """torchvision's name of the network; in a recipe it is written into the name: torchvision/resnet18."""
        pretrained: bool = False
        """Start from the published weights (a download)."""
        drop_path: float | None = Field(default=None, ge=0, lt=1)
        """Stochastic depth: chance that a training sample skips the deepest block; null: the network's own value."""
        dropout: float | None = Field(default=None, ge=0, lt=1)
        """Share of the features before the head that each training step blanks; null: the network's own value."""
        size: int | None = Field(default=None, ge=8, le=2048)
        """Shorter side that images are brought to inside the network, pixels; null: found by itself."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.from_torchvision import wrapped_torchvision

        own = cast(Torchvision.Spec, spec)
        return wrapped_torchvision(own, cast(Images, takes), num_outputs=num_outputs(gives))

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        return for_library(num_examples)

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(variant="shufflenet_v2_x0_5")
