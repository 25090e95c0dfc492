"""Operations on a copy's network for counterfactuals: start again, other activations, skips, unfreeze, regularisers off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from leadline.doctor.moment import Moment
from leadline.doctor.tape import Script
from leadline.doctor.twin import Twin

NORMS = (
    nn.modules.batchnorm._NormBase,  # pyright: ignore[reportPrivateUsage]
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
SQUASHING = (nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign, nn.LogSigmoid)


def weighted(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """(path, module, weight) of each module that multiplies by a matrix of its own."""
    for path, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim >= 2 and not isinstance(module, nn.Embedding):
            yield path, module, weight


def parent_of(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Where a part hangs, and under which name."""
    above, _, last = path.rpartition(".")
    return (model.get_submodule(above) if above else model), last


def start_again(twin: Twin) -> None:
    """Every trainable weight anew: norms as they come, matrices by He (Glorot before sigmoid and tanh are as good), biases zero.

    He et al. 2015: std = sqrt(2 / fan_in) keeps the signal's size through ReLUs.
    """
    last = _last_matrix(twin.model)
    for module, name, parameter in [(m, *named) for m in twin.model.modules() for named in m.named_parameters(recurse=False)]:
        if parameter.requires_grad and parameter.is_floating_point():
            with torch.no_grad():
                _fill(module, name, parameter, gain=1.0 if parameter is last else math.sqrt(2.0))


def _fill(module: nn.Module, name: str, parameter: Tensor, *, gain: float) -> None:
    if isinstance(module, nn.Embedding):
        parameter.normal_(std=min(1.0, 5 / math.sqrt(parameter.shape[1])))
    elif isinstance(module, RECURRENT):
        parameter.uniform_(-1 / math.sqrt(module.hidden_size), 1 / math.sqrt(module.hidden_size))
    elif isinstance(module, NORMS):
        parameter.fill_(1.0 if name == "weight" else 0.0)
    elif parameter.ndim < 2:
        _fill_vector(name, parameter)
    else:
        transposed = isinstance(module, nn.modules.conv._ConvTransposeNd)  # pyright: ignore[reportPrivateUsage]
        fan_in = parameter.shape[0] * parameter[0, 0].numel() if transposed else parameter[0].numel()
        parameter.normal_(std=gain / math.sqrt(max(fan_in, 1)))


def _fill_vector(name: str, parameter: Tensor) -> None:
    """A bias, or a scale of the user's own (which starts near one and is left alone)."""
    if "bias" in name or bool((parameter.abs() > 2).any()):
        parameter.zero_()


def _last_matrix(model: nn.Module) -> Tensor | None:
    found = [weight for _, _, weight in weighted(model)]
    return found[-1] if found else None


class Skip(nn.Module):
    """A run of parts with a skip around it and a norm before: x + f(norm(x))."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Any, *more: Any, **options: Any) -> Any:
        """The input where shapes fit, and the part's output added."""
        made = self.part(x, *more, **options)
        if isinstance(made, Tensor) and isinstance(x, Tensor) and made.shape == x.shape and made.is_floating_point():
            return made + x
        return made


def add_skips(twin: Twin) -> int:
    """A skip around every matrix that keeps the shape of its input; how many."""
    found = 0
    for path, module, weight in list(weighted(twin.model)):
        square = weight.shape[0] == weight.shape[1] and isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d))
        if path and square:
            above, name = parent_of(twin.model, path)
            setattr(above, name, Skip(module))
            found += 1
    return found


def swap_parts(twin: Twin, kinds: tuple[type[nn.Module], ...], make: Callable[[nn.Module], nn.Module]) -> int:
    """Put another part in the place of each of these kinds; how many."""
    found = [path for path, module in twin.model.named_modules() if path and isinstance(module, kinds)]
    for path in found:
        above, name = parent_of(twin.model, path)
        setattr(above, name, make(getattr(above, name)))
    return len(found)


def rectified(twin: Twin) -> int:
    """ReLU in the place of every sigmoid and tanh between layers (one at the very end stays), and a good start; how many."""
    parts = [path for path, module in twin.model.named_modules() if isinstance(module, SQUASHING)]
    matrices = [path for path, _, _ in weighted(twin.model)]
    order = [path for path, _ in twin.model.named_modules()]
    kept = {path for path in parts if matrices and order.index(path) > order.index(matrices[-1])}
    for path in parts:
        if path and path not in kept:
            above, name = parent_of(twin.model, path)
            setattr(above, name, nn.ReLU())
    start_again(twin)
    return len(parts) - len(kept)


def unfreeze(twin: Twin) -> int:
    """Every frozen float parameter trains, in the optimizer's last group; how many."""
    known = {id(p) for optimizer in twin.optimizers for group in optimizer.param_groups for p in group["params"]}
    frozen = [p for p in twin.model.parameters() if not p.requires_grad and p.is_floating_point()]
    for parameter in frozen:
        parameter.requires_grad_(True)
    twin.optimizers[-1].add_param_group({"params": [p for p in frozen if id(p) not in known]})
    return len(frozen)


def without_dropout(twin: Twin) -> None:
    """Every dropout at zero."""
    for module in twin.model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):  # pyright: ignore[reportPrivateUsage]
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):  # recurrent nets and attention hold a number
            module.dropout = 0.0  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]


def asleep(moment: Moment) -> Moment:
    """The recorded step with the network in eval mode: dropout off, batch norm by its running statistics."""
    entries = tuple(replace(entry, training=False) if entry.kind == "call" else entry for entry in moment.script.entries)
    return replace(moment, script=Script(entries, moment.script.problem))


def unit_scale(twin: Twin, moment: Moment) -> None:
    """A fresh start, and then every matrix scaled so that what it gives has a standard deviation of one (LSUV, Mishkin and Matas 2016)."""
    start_again(twin)
    last = _last_matrix(twin.model)

    def scale(module: nn.Module, _args: Any, made: Any) -> Any:
        spread = float(made.detach().double().std()) if isinstance(made, Tensor) and made.numel() > 1 else 0.0
        spread *= 3.0 if module.weight is last else 1.0  # first answers are small: nothing is known yet
        if not spread or not math.isfinite(spread):
            return None
        with torch.no_grad():
            for parameter in module.parameters(recurse=False):
                if parameter.requires_grad:
                    parameter.div_(spread)
        return made / spread

    handles = [module.register_forward_hook(scale) for _, module, weight in weighted(twin.model) if weight.requires_grad]
    try:
        twin.loss(moment)
    finally:
        for handle in handles:
            handle.remove()


def calm(twin: Twin, paths: tuple[str, ...], factor: float) -> None:
    """Smaller weights and biases in the layers that feed saturated ones."""
    for path in paths:
        for parameter in twin.module_at(path).parameters(recurse=False):
            with torch.no_grad():
                parameter.mul_(factor)
