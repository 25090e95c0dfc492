"""A vision transformer: patches by a strided convolution, a class token, pre-norm layers."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import images
from zoo.program import Setup
from zoo.recipe import Recipe

DATA = ("digits", "textures")
LOCAL = {"mnist": "mnist-10k", "fashion": "fashion-mnist"}
GOOD = {"digits": 0.85, "textures": 0.6, "mnist": 0.68, "fashion": 0.65}


class ViT(nn.Module):
    """Patches, class token, positions, layers, norm, linear head; the head starts at zero where asked, as in the paper."""

    def __init__(self, inputs: int, outputs: int, size: int, width: int, depth: int, dropout: float, zero_head: bool) -> None:
        super().__init__()
        self.patch = nn.Conv2d(inputs, width, 2 if size < 12 else 3, 2 if size < 12 else 3)
        count = (size // (2 if size < 12 else 3)) ** 2
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, count + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)
        if zero_head:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits."""
        patches = self.patch(x).flatten(2).transpose(1, 2)
        rows = torch.cat([self.cls.expand(len(x), -1, -1), patches], 1) + self.place
        return self.head(self.norm(self.layers(rows)[:, 0]))


def model(inputs: int, outputs: int, *, size: int, width: int = 32, depth: int = 2, dropout: float = 0.0, zero_head: bool = False) -> ViT:
    """The net of these sizes."""
    return ViT(inputs, outputs, size, width, depth, dropout, zero_head)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on pictures with classes."""
    three = images(data)
    x, y = three[0]
    classes = int(y.max()) + 1
    options = {"width": 8 * round(4 * recipe.width), "depth": recipe.depth or 2, "dropout": min(recipe.dropout, 0.1)}
    return assemble(
        three=three,
        make_model=partial(model, x.shape[1], classes, size=x.shape[2], zero_head=seed % 2 == 1, **options),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=2e-3,
        steps=300,
        batch_size=32,
        family="vit",
        num_classes=classes,
        head="head",
        score=score.accuracy(),
        chance=score.majority(three[2][1]),
        good=GOOD[data],
    )
