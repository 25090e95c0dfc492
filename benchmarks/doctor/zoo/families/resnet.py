"""A small residual net: two stages of basic blocks, the second at half size; optionally with zero-initialised last norms."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import images
from zoo.families.cnn_bn import norm_layer
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("digits", "textures")
LOCAL = {"mnist": "mnist-10k", "fashion": "fashion-mnist", "cifar": "cifar10-folder"}
GOOD = {"digits": 0.92, "textures": 0.8, "mnist": 0.75, "fashion": 0.6, "cifar": 0.75}


class Block(nn.Module):
    """Two convolutions around a skip; the skip is projected where the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: type[nn.Module], norm: str | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = norm_layer(norm, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = norm_layer(norm, outputs)
        self.act = activation()
        self.skip = nn.Identity() if inputs == outputs and stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        inner = self.norm2(self.conv2(self.act(self.norm1(self.conv1(x)))))
        return self.act(inner + self.skip(x))


class ResNet(nn.Module):
    """Stem, depth blocks, global average, linear."""

    def __init__(
        self, inputs: int, outputs: int, width: int, depth: int, activation: type[nn.Module], norm: str | None, dropout: float
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1, bias=False), norm_layer(norm, width), activation())
        half = depth // 2
        blocks = [Block(width, width, 1, activation, norm) for _ in range(half)]
        blocks += [Block(width if i == 0 else 2 * width, 2 * width, 2 if i == 0 else 1, activation, norm) for i in range(depth - half)]
        self.blocks = nn.Sequential(*blocks)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        return self.fc(self.drop(self.blocks(self.stem(x)).mean((2, 3))))


def model(
    inputs: int,
    outputs: int,
    *,
    width: int = 12,
    depth: int = 2,
    activation: type[nn.Module] = nn.ReLU,
    norm: str | None = None,
    dropout: float = 0.0,
    zero_last: bool = False,
) -> ResNet:
    """The net of these sizes; zero_last starts every block as its skip (Goyal et al. 2017)."""
    net = ResNet(inputs, outputs, width, depth, activation, norm, dropout)
    if zero_last:
        for block in net.blocks:
            nn.init.zeros_(block.norm2.weight)  # type: ignore[arg-type]
    return net


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on pictures with classes."""
    three = images(data)
    x, y = three[0]
    classes = int(y.max()) + 1
    options = {"width": 4 * round(3 * recipe.width), "depth": recipe.depth or 2, "activation": ACTIVATIONS[recipe.activation or "relu"]}
    norm = recipe.norm if recipe.norm != "none" else None  # the bare one is the plain net's business
    return assemble(
        three=three,
        make_model=partial(
            model, x.shape[1], classes, norm=norm, dropout=recipe.dropout, zero_last=seed % 2 == 1 and norm is None, **options
        ),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=2e-3,
        steps=240,
        batch_size=32,
        family="resnet",
        num_classes=classes,
        head="fc",
        score=score.accuracy(),
        chance=score.majority(three[2][1]),
        good=GOOD[data],
    )
