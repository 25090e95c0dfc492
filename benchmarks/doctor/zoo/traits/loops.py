"""Traits of the loop: accumulation, clipping, half precision, schedules, closures, steps of two backward passes."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch
from torch import Tensor

from zoo.families import FAMILIES
from zoo.program import Data, Setup, casting, update, with_data, with_optimizer
from zoo.recipe import Recipe


def adam_rate(setup: Setup) -> float:
    """A sound Adam rate for the set-up: what the family uses."""
    module = FAMILIES[setup.family]
    return module.build(module.DATA[0], Recipe(), 0).optimizer.param_groups[0]["lr"]


def accumulation(setup: Setup) -> Setup:
    """Gradients of four quarter batches."""
    quarter = max(4, (setup.loader.batch_size or 16) // 4)
    changed = replace(with_data(setup, batch_size=quarter, drop_last=True), accumulate=4, steps=setup.steps * 4)
    return replace(changed, validate_every=setup.validate_every * 4)


def always_clipped(setup: Setup) -> Setup:
    """Clipping far below the usual norm, under an optimizer that does not mind: Adam scales it away."""
    return replace(with_optimizer(setup, lambda p: torch.optim.Adam(p, lr=adam_rate(setup))), clip=0.05)


def half_precision(setup: Setup) -> Setup:
    """bfloat16 autocast."""
    return replace(setup, autocast=torch.bfloat16)


def scaler_skips(setup: Setup) -> Setup:
    """float16 autocast under a scaler that starts far too high and skips its first steps, as it should."""
    if setup.family == "cnn_bn":  # float16 convolutions are slow on a CPU
        good = setup.chance + 0.8 * (setup.good - setup.chance)
        setup = replace(with_data(setup, batch_size=24), steps=130, good=good)
    return replace(setup, autocast=torch.float16, scaler=torch.amp.GradScaler("cpu", init_scale=2.0**24), steps=setup.steps + 20)


def average_weights(setup: Setup) -> Setup:
    """An exponential average of the weights beside the net, as for evaluation."""
    return replace(setup, teacher=copy.deepcopy(setup.model).requires_grad_(False), teacher_decay=0.98)


def late_zero(setup: Setup) -> Setup:
    """zero_grad after the step instead of before, and filled with zeros."""

    def step(now: Setup, batch: Data, index: int) -> Tensor:
        with casting(now):
            loss = now.objective(now, now.forward(now, batch), batch)
        loss.backward()
        update(now)
        now.optimizer.zero_grad(set_to_none=False)
        return loss

    return replace(setup, step=step)


def by_model(setup: Setup) -> Setup:
    """model.zero_grad() instead of the optimizer's, and the optimizer holds a frozen tensor too."""

    def step(now: Setup, batch: Data, index: int) -> Tensor:
        now.model.zero_grad()
        with casting(now):
            loss = now.objective(now, now.forward(now, batch), batch)
        loss.backward()
        update(now)
        return loss

    return replace(setup, step=step)


def param_groups(setup: Setup) -> Setup:
    """No decay on vectors, a lower rate for the first half: what fine-tuning code does."""
    rate = adam_rate(setup)
    params = [p for p in setup.model.parameters() if p.requires_grad]
    half = len(params) // 2
    groups = [
        {"params": [p for p in params[:half] if p.dim() > 1], "lr": rate * 0.3, "weight_decay": 0.05},
        {"params": [p for p in params[half:] if p.dim() > 1], "lr": rate, "weight_decay": 0.05},
        {"params": [p for p in params if p.dim() <= 1], "lr": rate, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
    return replace(setup, optimizer=optimizer, scheduler=None if setup.make_scheduler is None else setup.make_scheduler(optimizer))


def closure_lbfgs(setup: Setup) -> Setup:
    """LBFGS with a closure on the whole set."""
    whole = with_data(setup, batch_size=len(setup.train_data[0]))

    def step(now: Setup, batch: Data, index: int) -> Tensor:
        def closure() -> Tensor:
            now.optimizer.zero_grad()
            loss = now.objective(now, now.forward(now, batch), batch)
            loss.backward()
            return loss

        return now.optimizer.step(closure)

    make = lambda p: torch.optim.LBFGS(p, lr=1.0, max_iter=5, line_search_fn="strong_wolfe")  # noqa: E731
    changed = with_optimizer(replace(whole, make_scheduler=None), make)
    return replace(changed, step=step, steps=6, validate_every=3)


def early_epochs(setup: Setup) -> Setup:
    """Validation after every epoch, early and often; the schedule steps by the epoch."""
    epochs = max(2, math.ceil(setup.steps / max(1, len(setup.loader))))
    maker = lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=epochs, eta_min=1e-6)  # noqa: E731
    return replace(setup, scheduler=maker(setup.optimizer), make_scheduler=maker, schedule_per="epoch", validate_every=1)


def restarts(setup: Setup) -> Setup:
    """Cosine with warm restarts: the loss jumps three times."""
    maker = lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=max(1, setup.steps // 4))  # noqa: E731
    return replace(setup, scheduler=maker(setup.optimizer), make_scheduler=maker)


def gradient_noise(setup: Setup) -> Setup:
    """Annealed gradient noise added between backward and step."""

    def step(now: Setup, batch: Data, index: int) -> Tensor:
        now.optimizer.zero_grad()
        loss = now.objective(now, now.forward(now, batch), batch)
        loss.backward()
        for p in now.model.parameters():
            if p.grad is not None:
                p.grad.add_(torch.randn_like(p.grad), alpha=0.003 / (1 + index) ** 0.5)
        update(now)
        return loss

    return replace(setup, step=step)


def sharpness_aware(setup: Setup) -> Setup:
    """SAM (Foret et al. 2021): two backward passes a step, weights moved and moved back between them."""

    def step(now: Setup, batch: Data, index: int) -> Tensor:
        now.optimizer.zero_grad()
        loss = now.objective(now, now.forward(now, batch), batch)
        loss.backward()
        held = [p for p in now.model.parameters() if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in held]).norm() + 1e-12  # type: ignore[union-attr]
        moves = [0.05 * p.grad / norm for p in held]  # type: ignore[operator]
        with torch.no_grad():
            for p, move in zip(held, moves, strict=True):
                p.add_(move)
        now.optimizer.zero_grad()
        now.objective(now, now.forward(now, batch), batch).backward()
        with torch.no_grad():
            for p, move in zip(held, moves, strict=True):
                p.sub_(move)
        update(now)
        return loss

    return replace(setup, step=step)
