"""torch's fused CPU kernels, called with lists that are made once: a small net's optimizer step takes a third of the time.

The optimizer stays the owner of all state and settings, and the bits are the same. Who hooks the steps of all optimizers (as the doctor
does) is told of these as of any; where somebody hooks this very one, or puts another step in its place, it steps by itself.
"""

# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW
from torch.optim import optimizer as torch_optimizer

Step = Callable[[dict[str, Any], "Lists", list[torch.Tensor]], None]


@dataclass(frozen=True)
class Lists:
    """One group's parameters and their states, side by side."""

    parameters: list[torch.Tensor]
    steps: list[torch.Tensor]
    states: tuple[list[torch.Tensor], ...]


class Fused:
    """Steps one optimizer; by itself where the short way is not open."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self._groups: list[tuple[dict[str, Any], Lists]] | None = None
        self._kernel = _KERNELS.get(type(optimizer)) if optimizer.defaults.get("fused") else None

    def forget(self) -> None:
        """Call it when states were replaced."""
        self._groups = None

    def step(self) -> None:
        """One step with the present gradients."""
        if self._kernel is None or _is_changed(self.optimizer):
            self.optimizer.step()
            return
        if self._groups is None:
            self._groups = _lists(self.optimizer)
        gradients = [[parameter.grad for parameter in lists.parameters] for _, lists in self._groups or ()]
        if not self._groups or any(gradient is None for group in gradients for gradient in group):
            self._groups = None  # the first step makes the states; a frozen parameter may thaw
            self.optimizer.step()
            return
        for hook in tuple(torch_optimizer._global_optimizer_pre_hooks.values()):
            hook(self.optimizer, (self.optimizer,), {})  # as torch calls it; there is no closure that it could exchange
        with torch.no_grad():
            for (group, lists), found in zip(self._groups, gradients, strict=True):
                self._kernel(group, lists, found)  # pyright: ignore[reportArgumentType]
        for hook in tuple(torch_optimizer._global_optimizer_post_hooks.values()):
            hook(self.optimizer, (self.optimizer,), {})


def _lists(optimizer: torch.optim.Optimizer) -> list[tuple[dict[str, Any], Lists]] | None:
    """The groups' lists; None while a parameter has no state yet, or where they are not plain dense CPU tensors of one type."""
    groups: list[tuple[dict[str, Any], Lists]] = []
    kinds = _KINDS[type(optimizer)]
    for group in optimizer.param_groups:
        wanted = kinds if group.get("momentum", 1) else ()
        states = [optimizer.state.get(parameter) or {} for parameter in group["params"]]
        plain = all(parameter.device.type == "cpu" and parameter.dtype == torch.float32 for parameter in group["params"])
        if not plain or any(state.get(kind) is None for state in states for kind in wanted):
            return None
        columns = [[state[kind] for state in states] for kind in wanted]
        steps = columns.pop(0) if "step" in wanted else []
        groups.append((group, Lists(list(group["params"]), steps, tuple(columns))))
    return groups


def _is_changed(optimizer: torch.optim.Optimizer) -> bool:
    """Whether someone hooked this optimizer's step, or put another one in its place."""
    return bool(optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks or "step" in vars(optimizer))


def _adam(kernel: Callable[..., None]) -> Step:
    def step(group: dict[str, Any], lists: Lists, gradients: list[torch.Tensor]) -> None:
        torch._foreach_add_(lists.steps, 1)
        kernel(
            lists.parameters,
            gradients,
            *lists.states,
            [],
            lists.steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=None,
        )

    return step


def _sgd(group: dict[str, Any], lists: Lists, gradients: list[torch.Tensor]) -> None:
    torch._fused_sgd_(
        lists.parameters,
        gradients,
        *(lists.states or ([],)),
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=0.0,
        nesterov=group["nesterov"],
        maximize=False,
        is_first_step=False,
        grad_scale=None,
        found_inf=None,
    )


_KINDS: dict[type, tuple[str, ...]] = {
    Adam: ("step", "exp_avg", "exp_avg_sq"),
    AdamW: ("step", "exp_avg", "exp_avg_sq"),
    SGD: ("momentum_buffer",),
}
_KERNELS: dict[type, Step] = {Adam: _adam(torch._fused_adam_), AdamW: _adam(torch._fused_adamw_), SGD: _sgd}
