"""A transformer encoder over padded token rows, masked mean, linear: sentence classification."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import token_rows
from zoo.program import Setup
from zoo.recipe import Recipe

DATA = ("majority", "either")
LOCAL = {"sst2": "sst2"}
GOOD = {"majority": 0.85, "either": 0.85, "sst2": 0.62}
STEPS = {"majority": 200, "either": 400, "sst2": 160}


class Encoder(nn.Module):
    """Token and position embeddings, pre-norm layers, the mean over real tokens, linear."""

    def __init__(self, vocab: int, outputs: int, length: int, width: int, depth: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width, padding_idx=0)
        self.place = nn.Parameter(torch.randn(length, width) * 0.02)  # as BERT and ViT start theirs
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, activation, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.classifier = nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Class logits."""
        pad = tokens == 0
        hidden = self.layers(self.embed(tokens) + self.place[: tokens.shape[1]], src_key_padding_mask=pad)
        real = (~pad).to(hidden.dtype)[..., None]
        return self.classifier((hidden * real).sum(1) / real.sum(1).clamp(min=1))


def model(
    vocab: int, outputs: int, *, length: int = 24, width: int = 32, depth: int = 1, activation: str = "relu", dropout: float = 0.0
) -> Encoder:
    """The net of these sizes."""
    net = Encoder(vocab, outputs, length, width, depth, activation, dropout)
    nn.init.normal_(net.embed.weight, std=0.3)
    with torch.no_grad():
        net.embed.weight[0] = 0
    return net


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on token rows with classes."""
    three, vocab, classes = token_rows(data)
    options = {"width": 8 * round(4 * recipe.width), "depth": recipe.depth or 1, "dropout": min(recipe.dropout, 0.2)}
    activation = recipe.activation if recipe.activation in ("relu", "gelu") else "relu"
    return assemble(
        three=three,
        make_model=partial(model, vocab, classes, activation=activation, **options),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=2e-3,
        steps=STEPS[data],
        batch_size=32,
        family="encoder",
        num_classes=classes,
        head="classifier",
        score=score.accuracy(),
        chance=score.majority(three[2][1]),
        good=GOOD[data],
    )
