"""Traits of the data: noise, imbalance, scale, order and augmentation that a sound program can have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.program import Data, Setup, make_loader, with_data, with_model
from zoo.score import balanced_accuracy


def label_noise(setup: Setup) -> Setup:
    """A fifth of the training and validation labels at random; the test labels are clean."""
    source = torch.Generator().manual_seed(setup.seed + 5)

    def noisy(data: Data) -> Data:
        y = data[1].clone()
        wrong = torch.rand(len(y), generator=source) < 0.2
        y[wrong] = torch.randint(0, setup.num_classes, (int(wrong.sum()),), generator=source)
        return (data[0], y, *data[2:])

    changed = with_data(setup, train=noisy(setup.train_data), val=noisy(setup.val_data))
    good = setup.chance + 0.8 * (setup.good - setup.chance)
    return replace(changed, steps=int(setup.steps * 0.6), good=good)  # stops before the noise is learnt by heart


def noise_floor(setup: Setup) -> Setup:
    """A target of which two thirds are noise: the loss stays near where it started."""
    source = torch.Generator().manual_seed(setup.seed + 6)
    parts = [(d[0], (d[1] + 1.4 * torch.randn(d[1].shape, generator=source)) / 1.72) for d in (setup.train_data, setup.val_data)]
    test = (setup.test_data[0], setup.test_data[1] / 1.72)  # scored on the clean target
    changed = with_data(setup, train=parts[0], val=parts[1], test=test)
    return replace(changed, steps=int(setup.steps * 0.5), good=setup.good * 0.45)


def full_batch(setup: Setup) -> Setup:
    """Every step sees all rows, always the same batch."""
    return replace(with_data(setup, batch_size=len(setup.train_data[0])), steps=setup.steps // 2, validate_every=setup.validate_every // 2)


def weighted_rare(setup: Setup) -> Setup:
    """Half the classes cut to an eighth and weighted up again; judged by mean recall."""
    x, y = setup.train_data
    source = torch.Generator().manual_seed(setup.seed)
    keep = (y % 2 == 0) | (torch.rand(len(y), generator=source) < 0.125)
    counts = torch.bincount(y[keep], minlength=setup.num_classes).float()
    changed = with_data(setup, train=(x[keep], y[keep]))
    good = setup.chance + 0.75 * (setup.good - setup.chance)  # fewer rows
    weight = counts.sum() / counts.clamp(min=1) / setup.num_classes
    return replace(changed, loss_fn=nn.CrossEntropyLoss(weight=weight), score=balanced_accuracy(), chance=1 / setup.num_classes, good=good)


def raw_pixels(setup: Setup) -> Setup:
    """Pixels 0 to 255 into a net whose first layer is a batch norm."""

    def raw(data: Data) -> Data:
        x = data[0]
        return ((x - low) / (high - low) * 255, *data[1:])

    low, high = setup.train_data[0].min(), setup.train_data[0].max()
    channels = setup.train_data[0].shape[1]
    norm = nn.BatchNorm2d(channels) if setup.train_data[0].dim() == 4 else nn.BatchNorm1d(channels)
    changed = with_data(setup, train=raw(setup.train_data), val=raw(setup.val_data), test=raw(setup.test_data))
    return with_model(changed, nn.Sequential(norm, setup.model), head=f"1.{setup.head}")


def own_scaling(setup: Setup) -> Setup:
    """A target in thousands, met by a net that scales its own output."""

    class Scaled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) * 1000 + 5000

    class Relative(nn.Module):
        def forward(self, output: Tensor, y: Tensor) -> Tensor:
            return F.mse_loss(output, y) / 1e6

    parts = [(d[0], d[1] * 1000 + 5000) for d in (setup.train_data, setup.val_data, setup.test_data)]
    changed = with_data(setup, train=parts[0], val=parts[1], test=parts[2])
    return with_model(changed, Scaled(setup.model), loss_fn=Relative(), head=f"inner.{setup.head}")


def augmented(setup: Setup) -> Setup:
    """Noise, erased patches and shifts, drawn anew for every batch."""

    def forward(now: Setup, batch: Data) -> Any:
        x = batch[0]
        if now.model.training:
            x = torch.roll(x, int(torch.randint(-1, 2, ())), -1) + 0.2 * torch.randn_like(x)
            x = x * (torch.rand(len(x), 1, *x.shape[2:]) > 0.1)
        return now.model(x)

    return replace(setup, forward=forward, good=setup.chance + 0.85 * (setup.good - setup.chance))


def mixup(setup: Setup) -> Setup:
    """Pairs of rows mixed, with soft labels (Zhang et al. 2018): the training loss stays high."""

    def forward(now: Setup, batch: Data) -> Any:
        if not now.model.training:
            return now.model(batch[0])
        order = now.state["order"] = torch.randperm(len(batch[0]))
        share = now.state["share"] = float(torch.distributions.Beta(0.4, 0.4).sample())
        return now.model(share * batch[0] + (1 - share) * batch[0][order])

    def objective(now: Setup, output: Any, batch: Data) -> Tensor:
        if not now.model.training:
            return now.loss_fn(output, batch[1])
        share, other = now.state["share"], batch[1][now.state["order"]]
        return share * now.loss_fn(output, batch[1]) + (1 - share) * now.loss_fn(output, other)

    return replace(setup, forward=forward, objective=objective)


def time_order(setup: Setup) -> Setup:
    """No shuffle, in rows that are in random order already."""
    return with_data(setup, shuffle=False)


def sampler_balanced(setup: Setup) -> Setup:
    """A weighted sampler draws the classes alike, with repeats inside an epoch."""
    y = setup.train_data[1]
    weight = 1 / torch.bincount(y).clamp(min=1).float()[y]
    sampler = torch.utils.data.WeightedRandomSampler(weight.tolist(), len(y), generator=torch.Generator().manual_seed(setup.seed))
    loader = make_loader(setup.train_data, batch_size=setup.loader.batch_size or 32, shuffle=False, sampler=sampler, drop_last=True)
    return replace(setup, loader=loader)
