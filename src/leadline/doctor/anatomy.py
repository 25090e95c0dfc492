"""One recorded step done again on a copy with every layer open: what goes in and out of each, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from leadline.doctor.moment import Moment
from leadline.doctor.tape import flatten
from leadline.doctor.twin import Twin


@dataclass
class Layer:
    """One call of one leaf module, in the order of computing. Tensors are detached and live as long as the anatomy.

    path, kind: name in the network and class name. grad_out, grad_in: norms (float64) of the loss's gradient at its output and input.
    """

    path: str
    kind: str
    module: nn.Module
    input: Tensor | None
    output: Tensor | None
    grad_out: float | None = None
    grad_in: float | None = None

    @property
    def gain(self) -> float | None:
        """How much the backward pass grows through this layer: the norm of its Jacobian along the gradient."""
        return self.grad_in / self.grad_out if self.grad_in is not None and self.grad_out else None


@dataclass(frozen=True)
class Anatomy:
    """layers in order; grads: gradient norm of each parameter by name (None: no gradient reached it), float64; losses at backward."""

    layers: tuple[Layer, ...]
    grads: dict[str, float | None]
    losses: tuple[float, ...]


def dissect(twin: Twin, moment: Moment) -> Anatomy:
    """Forward and backward of `moment` on `twin`, watched layer by layer. Raises NotReplayable."""
    layers: list[Layer] = []
    with _open(twin.model, layers):
        losses = twin.gradients(moment)
    trained = [(name, p.grad) for name, p in twin.model.named_parameters() if p.requires_grad]
    grads = {name: None if grad is None else float(grad.double().norm()) for name, grad in trained}
    return Anatomy(tuple(layers), grads, tuple(losses))


@contextmanager
def _open(model: nn.Module, layers: list[Layer]) -> Iterator[None]:
    handles = []
    for path, module in model.named_modules():
        if not any(True for _ in module.children()):
            handles.append(module.register_forward_hook(_looker(path, layers)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _looker(path: str, layers: list[Layer]) -> Any:
    def look(module: nn.Module, args: Any, result: Any) -> None:
        given, made = _first(args), _first(result)
        seen, shown = (None if tensor is None else tensor.detach() for tensor in (given, made))
        layer = Layer(path, type(module).__name__, module, seen, shown)
        layers.append(layer)
        if made is not None and made.requires_grad:
            made.register_hook(lambda grad: _set(layer, "grad_out", grad))
        if given is not None and given.requires_grad:
            given.register_hook(lambda grad: _set(layer, "grad_in", grad))

    return look


def _set(layer: Layer, name: str, grad: Tensor) -> None:
    setattr(layer, name, float(grad.detach().double().norm()))


def _first(value: Any) -> Tensor | None:
    return next((leaf for leaf in flatten(value)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point()), None)


@contextmanager
def in_eval(twin: Twin) -> Iterator[nn.Module]:
    """The copy's network in eval mode without gradients, for asking what it answers."""
    modes = [(module, module.training) for module in twin.model.modules()]
    twin.model.eval()
    try:
        with torch.no_grad():
            yield twin.model
    finally:
        for module, mode in modes:
            module.training = mode
