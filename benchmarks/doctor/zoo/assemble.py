"""From data, a model maker and a recipe to a Setup: the part that all families share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.data import Three
from zoo.program import Setup, make_loader
from zoo.recipe import Recipe, initialise, optimizer_maker, scheduler_maker


def assemble(
    *,
    three: Three,
    make_model: Callable[..., nn.Module],
    loss_fn: Callable[..., Any],
    recipe: Recipe,
    seed: int,
    base_lr: float,
    steps: int,
    batch_size: int,
    **rest: Any,
) -> Setup:
    """A set-up of these parts: recipe over the family's own rate, steps and batch size. rest: further fields of Setup."""
    torch.manual_seed(seed)
    model = initialise(make_model(), recipe.init)
    size = min(recipe.batch_size or batch_size, len(three[0][0]))
    make_optimizer, make_scheduler = optimizer_maker(recipe, base_lr), scheduler_maker(recipe, steps)
    optimizer = make_optimizer(model.parameters())
    return Setup(
        model=model,
        loss_fn=loss_fn,
        optimizer=optimizer,
        loader=make_loader(
            three[0], batch_size=size, seed=seed, drop_last=len(three[0][0]) % size == 1
        ),  # batch norm refuses a last row alone
        val_loader=make_loader(three[1], batch_size=256, shuffle=False),
        steps=steps,
        scheduler=None if make_scheduler is None else make_scheduler(optimizer),
        clip=recipe.clip,
        train_data=three[0],
        val_data=three[1],
        test_data=three[2],
        build_model=partial(make_model),
        make_optimizer=make_optimizer,
        make_scheduler=make_scheduler,
        seed=seed,
        **rest,
    )
