"""A variational autoencoder whose model returns a tuple and whose loss is the negative evidence bound with weight beta."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import score
from zoo.assemble import assemble
from zoo.data import Three, images, points
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("digits", "ring")
LOCAL = {"mnist": "mnist-10k"}
GOOD = {"digits": 0.35, "ring": 0.8, "mnist": 0.3}


class VAE(nn.Module):
    """mean and log-variance from one body; the sample is the mean in eval mode."""

    def __init__(self, size: int, width: int, code: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(size, width), activation())
        self.mu = nn.Linear(width, code)
        self.logvar = nn.Linear(width, code)
        self.decoder = nn.Sequential(nn.Linear(code, width), activation(), nn.Linear(width, size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(reconstruction, mean, log-variance)."""
        hidden = self.body(x)
        mu, logvar = self.mu(hidden), self.logvar(hidden)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.decoder(z).view_as(x), mu, logvar


class Bound(nn.Module):
    """Squared error over elements / (2 variance) plus beta times the divergence to the unit Gaussian, per row."""

    def __init__(self, beta: float = 1.0, variance: float = 0.1) -> None:
        super().__init__()
        self.beta, self.variance = beta, variance

    def forward(self, output: tuple[Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
        """The mean over rows."""
        back, mu, logvar = output
        error = F.mse_loss(back, x, reduction="sum") / (2 * self.variance)
        divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()
        return (error + self.beta * divergence) / len(x)


def model(size: int, *, width: int = 64, code: int = 8, activation: type[nn.Module] = nn.ReLU) -> VAE:
    """The net of these sizes."""
    return VAE(size, width, code, activation)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on pictures or on points of the plane."""
    parts = points(data) if data == "ring" else images(data)
    three: Three = tuple((part[0], part[0]) for part in parts)  # type: ignore[assignment]
    options = {"width": int(64 * recipe.width), "code": 2 if data == "ring" else 8, "activation": ACTIVATIONS[recipe.activation or "relu"]}
    return assemble(
        three=three,
        make_model=partial(model, three[0][0][0].numel(), **options),
        loss_fn=Bound(variance=0.02 if data == "ring" else 0.1),
        recipe=recipe,
        seed=seed,
        base_lr=2e-3,
        steps=400,
        batch_size=64,
        family="vae",
        task="reconstruct",
        head="decoder.2",
        score=score.r_squared(),
        chance=0.0,
        good=GOOD[data],
    )
