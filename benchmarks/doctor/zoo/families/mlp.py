"""A multi-layer perceptron as nn.Sequential, on tables: classes, two classes with one logit, numbers."""

from __future__ import annotations

from functools import partial

from torch import nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import table
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("digits", "wine", "breast_cancer", "moons", "blobs", "iris", "diabetes", "teacher", "friedman")
LOCAL = {"mnist": "mnist-10k", "fashion": "fashion-mnist", "california": "california-housing"}
NUMBERS = {"diabetes": 0.38, "teacher": 0.85, "friedman": 0.8, "california": 0.55}
BINARY = ("breast_cancer", "moons")
GOOD = {"digits": 0.93, "wine": 0.88, "breast_cancer": 0.92, "moons": 0.93, "blobs": 0.7, "iris": 0.83, "mnist": 0.82, "fashion": 0.72}


def model(
    inputs: int,
    outputs: int,
    *,
    width: int = 48,
    depth: int = 2,
    activation: type[nn.Module] = nn.ReLU,
    norm: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """depth hidden layers: linear, norm (batch, layer or none), activation, dropout; then a linear head."""
    layers: list[nn.Module] = []
    size = inputs
    for _ in range(depth):
        layers.append(nn.Linear(size, width))
        if norm is not None:
            layers.append({"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm](width))
        layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
        size = width
    layers.append(nn.Linear(size, outputs))
    return nn.Sequential(*layers)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on a table."""
    three = table(data)
    x, y = three[0]
    regress, binary = data in NUMBERS, data in BINARY
    classes = 0 if regress else int(y.max()) + 1
    if binary:  # one logit, targets as the loss wants them
        three = tuple((part[0], part[1].float()[:, None]) for part in three)  # type: ignore[assignment]
    options = {
        "width": int(48 * recipe.width),
        "depth": recipe.depth or 2,
        "activation": ACTIVATIONS[recipe.activation or "relu"],
        "norm": recipe.norm,
        "dropout": recipe.dropout * (0.4 if regress else 1.0),
    }
    make = partial(model, x[0].numel(), 1 if regress or binary else classes, **options)
    return assemble(
        three=three,
        make_model=make,
        loss_fn=nn.MSELoss() if regress else nn.BCEWithLogitsLoss() if binary else nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=2e-3,
        steps=100 if data == "diabetes" else 400,  # 300 rows: what more steps learn is noise
        batch_size=32,
        family="mlp",
        task="regress" if regress else "binary" if binary else "classify",
        num_classes=classes,
        head=str(len(make()) - 1),
        score=score.r_squared() if regress else score.accuracy(),
        chance=0.0 if regress else score.majority(table(data)[2][1]),
        good=NUMBERS[data] if regress else GOOD[data],
    )
