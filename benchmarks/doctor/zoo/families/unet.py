"""A two-level U-Net that segments small pictures, pixel by pixel."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import score
from zoo.assemble import assemble
from zoo.data import masks
from zoo.families.cnn_bn import norm_layer
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("shapes", "strokes")
LOCAL: dict[str, str] = {}
GOOD = {"shapes": 0.6, "strokes": 0.6}


class UNet(nn.Module):
    """Down, down, up with skip, 1 x 1 convolution."""

    def __init__(self, outputs: int, width: int, activation: type[nn.Module], norm: str | None, dropout: float) -> None:
        super().__init__()

        def stage(a: int, b: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), norm_layer(norm, b), activation())

        self.down1, self.down2 = stage(1, width), stage(width, 2 * width)
        self.middle, self.up = stage(2 * width, 2 * width), stage(3 * width, width)
        self.drop = nn.Dropout2d(dropout)
        self.final = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits per pixel."""
        first = self.down1(x)
        inner = self.drop(self.middle(self.down2(F.max_pool2d(first, 2))))
        wide = F.interpolate(inner, scale_factor=2.0, mode="nearest")
        return self.final(self.up(torch.cat([wide, first], 1)))


def model(outputs: int, *, width: int = 8, activation: type[nn.Module] = nn.ReLU, norm: str | None = None, dropout: float = 0.0) -> UNet:
    """The net of these sizes."""
    return UNet(outputs, width, activation, norm, dropout)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on pictures with masks."""
    three = masks(data)
    classes = int(three[0][1].max()) + 1
    options = {"width": 4 * round(2 * recipe.width), "activation": ACTIVATIONS[recipe.activation or "relu"], "norm": recipe.norm}
    return assemble(
        three=three,
        make_model=partial(model, classes, dropout=min(recipe.dropout, 0.1), **options),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=5e-3,
        steps=160,
        batch_size=16,
        family="unet",
        task="segment",
        num_classes=classes,
        head="final",
        score=score.mean_iou,
        chance=score.majority(three[2][1]) / classes,  # the background everywhere
        good=GOOD[data],
    )
