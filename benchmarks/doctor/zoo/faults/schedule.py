"""Faults of the learning-rate schedule: O05."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch

from zoo.faults.fault import ALL, Fault, need
from zoo.program import Setup, with_optimizer

schedules = torch.optim.lr_scheduler


def scheduled(setup: Setup, make: Callable[[Any], Any], *, per: Literal["step", "epoch"] = "step") -> Setup:
    """The set-up with this schedule over a fresh optimizer."""
    need(setup.make_optimizer is not None and not isinstance(setup.optimizer, list), "one optimizer")
    assert setup.make_optimizer is not None
    return replace(with_optimizer(setup, setup.make_optimizer, make_scheduler=make), schedule_per=per)


def stepped_each_batch(setup: Setup) -> Setup:
    """StepLR(10, 0.1) was meant per epoch and is stepped per batch."""
    return scheduled(setup, lambda o: schedules.StepLR(o, step_size=10, gamma=0.1))


def exponential_each_batch(setup: Setup) -> Setup:
    """ExponentialLR(0.9), usual per epoch, is stepped per batch."""
    return scheduled(setup, lambda o: schedules.ExponentialLR(o, gamma=0.9))


def absolute_in_lambda(setup: Setup) -> Setup:
    """LambdaLR gets a function that returns the learning rate itself, not a factor: the rate is squared."""
    rate = setup.optimizer.param_groups[0]["lr"]
    need(rate < 0.05, "a rate whose square is far smaller")  # at 0.05 the square is a twentieth: still a sound rate
    return scheduled(setup, lambda o: schedules.LambdaLR(o, lambda step: rate * 0.999**step))


def endless_warmup(setup: Setup) -> Setup:
    """Linear warm-up over the 100,000 steps of somebody else's run."""
    return scheduled(setup, lambda o: schedules.LambdaLR(o, lambda step: min(1.0, (step + 1) / 100_000)))


def gamma_zero(setup: Setup) -> Setup:
    """MultiStepLR with gamma=0 at the end of the first epoch."""
    first = max(1, min(len(setup.loader), setup.steps // 10))
    return scheduled(setup, lambda o: schedules.MultiStepLR(o, milestones=[first], gamma=0.0))


def total_too_small(setup: Setup) -> Setup:
    """The cosine's length is the number of epochs, and the last rate is held: the run is over after a few batches."""
    epochs = max(3, setup.steps // max(1, len(setup.loader)))
    total = min(epochs, setup.steps // 12)

    def cosine(step: int) -> float:
        return 0.5 * (1 + torch.tensor(min(1.0, step / total) * torch.pi).cos().item())

    return scheduled(setup, lambda o: schedules.LambdaLR(o, cosine))


FAULTS = (
    Fault("O05", "step_per_batch", stepped_each_batch, ALL, stage="S"),
    Fault("O05", "exponential_per_batch", exponential_each_batch, ALL, stage="S"),
    Fault("O05", "absolute_in_lambda", absolute_in_lambda, ALL, base={"optimizer": "adam"}, alike=("O02",), stage="S"),
    Fault("O05", "endless_warmup", endless_warmup, ALL, alike=("O02",), stage="S"),
    Fault("O05", "gamma_zero", gamma_zero, ALL, stage="S"),
    Fault("O05", "total_too_small", total_too_small, ALL, stage="S"),
)
