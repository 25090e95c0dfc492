"""The settings of one training, apart from its fault or trait; and the parts that are built from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "leaky": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "mish": nn.Mish,
}

# Sound learning rates against Adam's for the same net: what people use, and what the healthy scores were checked with.
FACTOR = {
    "adam": 1.0,
    "adamw": 1.0,
    "nadam": 0.7,
    "radam": 1.5,
    "rmsprop": 0.3,
    "adagrad": 10.0,
    "sgd": 60.0,
    "momentum": 10.0,
    "nesterov": 10.0,
}


@dataclass(frozen=True)
class Recipe:
    """Sound settings; None means the family's own default."""

    optimizer: str = "adam"
    lr: float = 1.0  # times the family's own rate for this optimizer
    weight_decay: float = 0.0
    schedule: str = "none"  # none, cosine, warmup, onecycle, step, exponential, linear
    batch_size: int | None = None
    activation: str | None = None
    dropout: float = 0.0
    norm: str | None = None
    init: str = "default"
    width: float = 1.0  # times the family's own
    depth: int | None = None
    clip: float | None = None

    @property
    def words(self) -> str:
        """The settings that differ from the default, in one short line."""
        usual = asdict(Recipe())
        parts = [
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in asdict(self).items()
            if value != usual[key]
        ]
        return " ".join(parts) or "plain"


def optimizer_maker(recipe: Recipe, base_lr: float) -> Callable[[Any], torch.optim.Optimizer]:
    """Make the recipe's optimizer over parameters, at the family's Adam rate times the optimizer's factor."""
    lr = base_lr * FACTOR[recipe.optimizer] * recipe.lr
    decay = recipe.weight_decay
    optim = torch.optim
    makers: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
        "adam": lambda p: optim.Adam(p, lr=lr, weight_decay=decay),
        "adamw": lambda p: optim.AdamW(p, lr=lr, weight_decay=decay or 0.01),
        "nadam": lambda p: optim.NAdam(p, lr=lr, weight_decay=decay),
        "radam": lambda p: optim.RAdam(p, lr=lr, weight_decay=decay),
        "rmsprop": lambda p: optim.RMSprop(p, lr=lr, weight_decay=decay),
        "adagrad": lambda p: optim.Adagrad(p, lr=lr, weight_decay=decay),
        "sgd": lambda p: optim.SGD(p, lr=lr, weight_decay=decay),
        "momentum": lambda p: optim.SGD(p, lr=lr, momentum=0.9, weight_decay=decay),
        "nesterov": lambda p: optim.SGD(p, lr=lr, momentum=0.9, nesterov=True, weight_decay=decay),
    }
    return makers[recipe.optimizer]


def scheduler_maker(recipe: Recipe, steps: int) -> Callable[[Any], Any] | None:
    """Make the recipe's schedule, stepped once an update, over the whole run."""
    name, schedules = recipe.schedule, torch.optim.lr_scheduler
    if name == "none":
        return None
    warm = max(1, steps // 10)  # a tenth of the run warms up: the common choice

    def rise_and_fall(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, steps - warm))))

    makers: dict[str, Callable[[Any], Any]] = {
        "cosine": lambda o: schedules.CosineAnnealingLR(o, T_max=steps),
        "warmup": lambda o: schedules.LambdaLR(o, rise_and_fall),
        "onecycle": lambda o: schedules.OneCycleLR(o, max_lr=2 * o.param_groups[0]["lr"], total_steps=steps + 1),
        "step": lambda o: schedules.StepLR(o, step_size=max(1, steps // 3), gamma=0.3),
        "exponential": lambda o: schedules.ExponentialLR(o, gamma=0.1 ** (1 / steps)),  # ends at a tenth
        "linear": lambda o: schedules.LinearLR(o, start_factor=1.0, end_factor=0.05, total_iters=steps),
    }
    return makers[name]


def initialise(model: nn.Module, init: str) -> nn.Module:
    """Another sound initialisation of linear and convolution weights: kaiming, xavier, orthogonal, or PyTorch's own."""
    fills: dict[str, Callable[[torch.Tensor], Any]] = {
        "kaiming": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
        "xavier": nn.init.xavier_uniform_,
        "orthogonal": nn.init.orthogonal_,
    }
    if init == "default":
        return model
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            fills[init](module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
