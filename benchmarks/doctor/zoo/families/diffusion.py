"""A denoising diffusion model: the net guesses the noise that was mixed into a row, given the time."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import Data, Three, images, points
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("ring", "moons", "digits")
LOCAL: dict[str, str] = {}
GOOD = {"ring": 0.45, "moons": 0.45, "digits": 0.5}
TIMES = 50  # noise levels: few are enough for small data


class Denoiser(nn.Module):
    """Residual linear layers with the time's embedding added in each."""

    def __init__(self, size: int, width: int, depth: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.time = nn.Embedding(TIMES, width)
        self.start = nn.Linear(size, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.act = activation()
        self.end = nn.Linear(width, size)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The guessed noise."""
        hidden, when = self.start(x), self.time(t)
        for layer in self.layers:
            hidden = hidden + self.act(layer(hidden + when))
        return self.end(hidden)


def kept(t: Tensor) -> Tensor:
    """The share of the signal's variance at time t: the cosine schedule."""
    return torch.cos((t.float() + 0.5) / TIMES * math.pi / 2).pow(2)[:, None]


def noisy(x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """The row at time t."""
    return kept(t).sqrt() * x + (1 - kept(t)).sqrt() * noise


def forward(setup: Setup, batch: Data) -> Any:
    """(guess, noise) at random times."""
    x = batch[0]
    t, noise = torch.randint(0, TIMES, (len(x),)), torch.randn_like(x)
    return setup.model(noisy(x, t, noise), t), noise


def objective(setup: Setup, output: Any, batch: Data) -> Tensor:
    """The loss of the guess against the noise."""
    guess, noise = output
    return setup.loss_fn(guess, noise)


def denoising(setup: Setup) -> float:
    """Share of the noise's variance that is explained, on held-out rows at fixed times."""
    x = setup.test_data[0]
    source = torch.Generator().manual_seed(7)
    t, noise = torch.randint(0, TIMES, (len(x),), generator=source), torch.randn(x.shape, generator=source)
    with score.judged(setup):
        left = (setup.model(noisy(x, t, noise), t) - noise).pow(2).mean()
    return max(-1.0, score.finite(1 - left, -1.0))


def model(size: int, *, width: int = 64, depth: int = 3, activation: type[nn.Module] = nn.SiLU) -> Denoiser:
    """The net of these sizes."""
    return Denoiser(size, width, depth, activation)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on points of the plane or on digits as rows."""
    parts = images(data) if data == "digits" else points(data)
    three: Three = tuple((part[0].flatten(1),) for part in parts)  # type: ignore[assignment]
    activation = ACTIVATIONS[recipe.activation or "silu"]
    wide = 2 if data == "digits" else 1
    return assemble(
        three=three,
        make_model=partial(
            model, three[0][0].shape[1], width=int(64 * wide * recipe.width), depth=recipe.depth or 3, activation=activation
        ),
        loss_fn=nn.MSELoss(),
        recipe=recipe,
        seed=seed,
        base_lr=2e-3,
        steps=500,
        batch_size=64,
        family="diffusion",
        task="denoise",
        head="end",
        forward=forward,
        objective=objective,
        score=denoising,
        chance=0.0,
        good=GOOD[data],
    )
