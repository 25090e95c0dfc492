"""The multilayer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.options import Activation, Categories, Init, Norm
from leadline.models.shapes import num_outputs
from leadline.models.suggestions import batch_for, epochs_for
from leadline.record.ports import Classes, Images, Port, Rows, Values

if TYPE_CHECKING:
    from torch import nn


class MLP(Model):
    """A multilayer perceptron: hidden layers of any number and width, then a linear head.

    Takes table rows, or images as one long row of pixels. Each hidden layer is linear, norm, activation, dropout. The network of the
    textbooks, and quick; for images a `cnn` and for tables `tabm` usually score higher. With deep stacks (more than five layers) set
    `norm` or `residual`, or the gradient fades; with ReLU and its relatives `init: he` keeps the signal's size from layer to layer.
    """

    takes = (Images, Rows)
    gives = (Classes, Values)

    class Spec(Settings):
        """Settings of the multilayer perceptron."""

        hidden: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(default=(512, 256), max_length=256)
        """Width of each hidden layer, from the input on; an empty list makes it linear."""
        activation: Activation = "relu"
        """Activation of the hidden layers."""
        norm: Norm = "none"
        """Norm between each linear layer and its activation."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Share of the hidden features that each training step blanks."""
        residual: bool = False
        """Add each hidden layer's input to its output."""
        init: Init = "default"
        """Initial weights: torch's own, xavier (for tanh and sigmoid) or he (for ReLU and its relatives)."""
        categories: Categories = "one_hot"
        """How categories of a table enter: one-hot, or as an embedding learned with the rest (for columns of many codes)."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.columns import encoder
        from leadline.models.nets.mlp import MLPNet, Style

        own = cast(MLP.Spec, spec)
        style = Style(own.activation, own.norm, own.dropout, own.residual, own.init)
        return MLPNet(encoder(takes, own.categories), num_outputs(gives), hidden=own.hidden, style=style)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Adam's usual rate, and enough passes for small tables."""
        return {
            "train.epochs": epochs_for(num_examples, seen=600_000, least=10, most=100),
            "train.batch_size": batch_for(num_examples, least=32, most=256),
            "train.optimizer.lr": 1e-3,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(hidden=(16, 16))
