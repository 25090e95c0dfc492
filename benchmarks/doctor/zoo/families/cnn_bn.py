"""A plain convolutional net with batch norm, pooling and a linear head, on small pictures."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import images
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("digits", "textures")
LOCAL = {"mnist": "mnist-10k", "fashion": "fashion-mnist", "cifar": "cifar10-folder"}
GOOD = {"digits": 0.92, "textures": 0.8, "mnist": 0.87, "fashion": 0.72, "cifar": 0.78}


def norm_layer(kind: str | None, channels: int) -> nn.Module:
    """Batch norm, group norm, instance norm or none; batch norm where nothing is said."""
    if kind == "none":
        return nn.Identity()
    return (
        nn.GroupNorm(4, channels)
        if kind == "group"
        else nn.InstanceNorm2d(channels, affine=True)
        if kind == "instance"
        else nn.BatchNorm2d(channels)
    )


class ConvNet(nn.Module):
    """Stages of convolution, norm, activation; a pool after the first two; global average; dropout; linear."""

    def __init__(
        self, inputs: int, outputs: int, width: int, depth: int, activation: type[nn.Module], norm: str | None, dropout: float
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        size = inputs
        for stage in range(depth):
            now = width * (2 if stage else 1)
            stages += [nn.Conv2d(size, now, 3, padding=1, bias=norm == "none"), norm_layer(norm, now), activation()]
            if stage < 2:
                stages.append(nn.MaxPool2d(2))
            size = now
        self.features = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(size * 4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        return self.head(self.drop(self.pool(self.features(x)).flatten(1)))


def model(
    inputs: int,
    outputs: int,
    *,
    width: int = 12,
    depth: int = 3,
    activation: type[nn.Module] = nn.ReLU,
    norm: str | None = None,
    dropout: float = 0.0,
) -> ConvNet:
    """The net of these sizes."""
    return ConvNet(inputs, outputs, width, depth, activation, norm, dropout)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on pictures with classes."""
    three = images(data)
    x, y = three[0]
    classes = int(y.max()) + 1
    options = {"width": 4 * round(3 * recipe.width), "depth": recipe.depth or 3, "activation": ACTIVATIONS[recipe.activation or "relu"]}
    return assemble(
        three=three,
        make_model=partial(model, x.shape[1], classes, norm=recipe.norm, dropout=recipe.dropout, **options),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=3e-3,
        steps=240,
        batch_size=32,
        family="cnn_bn",
        num_classes=classes,
        head="head",
        score=score.accuracy(),
        chance=score.majority(three[2][1]),
        good=GOOD[data],
    )
