"""LoRA: a tiny encoder pre-trained on one rule of token rows, frozen, and adapted to another through low-rank linears."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import Three, token_rows
from zoo.families.gpt import Block
from zoo.program import Setup, train
from zoo.recipe import Recipe

DATA = ("either", "majority")
LOCAL: dict[str, str] = {}
GOOD = {"either": 0.8, "majority": 0.8}


class LoRA(nn.Module):
    """A frozen linear plus a low-rank correction, whose second factor starts at zero (Hu et al. 2021)."""

    def __init__(self, inner: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.inner = inner
        self.a = nn.Parameter(torch.randn(rank, inner.in_features) / inner.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(inner.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """The linear's output, corrected."""
        return self.inner(x) + (x @ self.a.T @ self.b.T) * self.scale


class Encoder(nn.Module):
    """Embeddings, attention blocks, the mean over real tokens, linear."""

    def __init__(self, vocab: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width, padding_idx=0)
        self.blocks = nn.ModuleList(Block(width, 4, 0.0, False) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Class logits."""
        hidden = self.embed(tokens)
        for block in self.blocks:
            hidden = block(hidden)
        real = (tokens > 0).to(hidden.dtype)[..., None]
        return self.classifier((self.norm(hidden) * real).sum(1) / real.sum(1))


def adapt(net: Encoder, outputs: int, rank: int, alpha: float) -> Encoder:
    """Freeze it, wrap its linears, give it a new classifier that trains in full."""
    net.requires_grad_(False)
    for block in net.blocks:
        assert isinstance(block, Block)
        block.qkv = LoRA(block.qkv, rank, alpha)  # type: ignore[assignment]
        block.proj = LoRA(block.proj, rank, alpha)  # type: ignore[assignment]
        block.mlp[0] = LoRA(block.mlp[0], rank, alpha)  # type: ignore[arg-type]
        block.mlp[2] = LoRA(block.mlp[2], rank, alpha)  # type: ignore[arg-type]
    net.classifier = nn.Linear(net.classifier.in_features, outputs)
    return net


@cache
def pretrained(data: str, depth: int, width: int) -> dict[str, Any]:
    """The weights of an encoder trained on the set's own classes."""
    three, vocab, classes = token_rows(data)
    setup = assemble(
        three=three,
        make_model=lambda: Encoder(vocab, classes, width, depth),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=Recipe(),
        seed=0,
        base_lr=2e-3,
        steps=200,
        batch_size=32,
    )
    train(setup)
    return {key: value.detach().clone() for key, value in setup.model.state_dict().items()}


def renamed(three: Three, classes: int) -> Three:
    """The same rows under a new question: the class moves on by one where the row holds token 5."""
    return tuple((x, (y + (x == 5).any(1).long()) % classes) for x, y in three)  # type: ignore[return-value]


def model(data: str, *, rank: int = 4, alpha: float = 8.0, depth: int = 1, width: int = 32, load: bool = True) -> Encoder:
    """The adapted encoder; load False forgets the pre-training (a fault's switch)."""
    _, vocab, classes = token_rows(data)
    net = Encoder(vocab, classes, width, depth)
    if load:
        net.load_state_dict(pretrained(data, depth, width))
    return adapt(net, classes, rank, alpha)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Adapt it to the renamed classes; the optimizer sees what trains."""
    three, _, classes = token_rows(data)
    width, depth = 8 * round(4 * recipe.width), recipe.depth or 1
    pretrained(data, depth, width)
    setup = assemble(
        three=renamed(three, classes),
        make_model=partial(model, data, depth=depth, width=width),
        loss_fn=nn.CrossEntropyLoss(),
        recipe=replace(recipe, init="default"),
        seed=seed,
        base_lr=5e-3,
        steps=300,
        batch_size=32,
        family="lora",
        num_classes=classes,
        head="classifier",
        score=score.accuracy(),
        chance=score.majority(renamed(three, classes)[2][1]),
        good=GOOD[data],
    )
    assert setup.make_optimizer is not None
    setup.optimizer = setup.make_optimizer([p for p in setup.model.parameters() if p.requires_grad])
    setup.scheduler = None if setup.make_scheduler is None else setup.make_scheduler(setup.optimizer)
    return setup
