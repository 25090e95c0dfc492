"""Cuts into a model: swap kinds of modules, put something at the head or around a hidden part, and build the optimizer anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.faults.fault import DoesNotFit, need
from zoo.program import Setup, with_model

ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Mish)
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def rebuilt(setup: Setup) -> Setup:
    """The same set-up with optimizer and schedule over the model as it is now."""
    need(setup.make_optimizer is not None and not isinstance(setup.optimizer, list), "one optimizer that can be built anew")
    return with_model(setup, setup.model)


def place(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module where the dotted name says."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def swap(model: nn.Module, kinds: tuple[type[nn.Module], ...], make: Callable[[Any], nn.Module]) -> int:
    """Replace every module of these kinds; gives how many there were."""
    found = [(name, module) for name, module in model.named_modules() if name and isinstance(module, kinds)]
    for name, module in found:
        place(model, name, make(module))
    return len(found)


def head(setup: Setup) -> Any:
    """The last linear or convolution."""
    need(bool(setup.head), "a named head")
    return setup.model.get_submodule(setup.head)


def is_conv(setup: Setup) -> bool:
    """Whether the head works on pictures NCHW."""
    return isinstance(head(setup), CONVOLUTIONS)


def after_head(setup: Setup, end: nn.Module) -> Setup:
    """Append a module to the head."""
    place(setup.model, setup.head, nn.Sequential(head(setup), end))
    return rebuilt(setup)


def before_head(setup: Setup, make: Callable[[int], nn.Module]) -> Setup:
    """Put a module of the head's input width before the head; for a convolution the module must be one of 1 x 1."""
    old = head(setup)
    width = old.in_channels if isinstance(old, CONVOLUTIONS) else old.in_features
    place(setup.model, setup.head, nn.Sequential(make(width), old))
    return rebuilt(setup)


def dense(setup: Setup, width: int, out: int | None = None) -> nn.Module:
    """A linear layer of this width, or its 1 x 1 convolution where the head works on pictures."""
    return nn.Conv2d(width, out or width, 1) if is_conv(setup) else nn.Linear(width, out or width)


def class_axis(setup: Setup) -> int:
    """The axis of the head's output that holds the classes or features."""
    return 1 if is_conv(setup) else -1


def ancestors(name: str) -> set[str]:
    """The dotted names above this one, itself included."""
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


def hidden(setup: Setup) -> str:
    """The largest part that holds neither head nor whole: the body, or the largest layer of it."""
    barred = ancestors(setup.head) | {""}
    under_head = setup.head + "."
    sizes = {
        name: sum(p.numel() for p in module.parameters() if p.requires_grad)
        for name, module in setup.model.named_modules()
        if name not in barred
        and not name.startswith(under_head)
        and not isinstance(module, (nn.ModuleList, nn.ModuleDict))
        and callable_part(module)
    }
    if not sizes or max(sizes.values()) == 0:
        raise DoesNotFit("a hidden part with parameters")
    return max(sizes, key=lambda name: sizes[name])  # the first of equals is the outermost


def callable_part(module: nn.Module) -> bool:
    """Whether the module computes something itself, so that it can stand alone (containers and bare parameters cannot)."""
    return type(module).forward is not nn.Module.forward and not type(module).__module__.endswith("parametrizations")


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change every float tensor of an output that may be a tuple."""
    if isinstance(value, Tensor):
        return change(value) if value.is_floating_point() else value
    if isinstance(value, tuple):
        return tuple(mapped(part, change) for part in value)
    return value


class Around(nn.Module):
    """A part with its output changed on the way out."""

    def __init__(self, part: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.part = part
        self.change = change

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The part's output, changed."""
        return mapped(self.part(*inputs, **options), self.change)


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The function of the input."""
        return self.function(x)


def matrices(model: nn.Module) -> list[nn.Parameter]:
    """All trainable weights of two or more axes: linear, convolution, recurrent, embedding."""
    return [p for p in model.parameters() if p.requires_grad and p.dim() >= 2]


def refill(model: nn.Module, fill: Callable[[Tensor], Any]) -> None:
    """Fill every trainable matrix anew, in place."""
    with torch.no_grad():
        for weight in matrices(model):
            fill(weight)
