"""Recording: a tape under the user's code and hooks on the network's calls, put in for one step and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.swa_utils import AveragedModel
from torch.overrides import _get_current_function_mode_stack  # pyright: ignore[reportPrivateUsage]

from leadline.doctor.tape import Places, Tape, flatten
from leadline.doctor.twin import bare


@dataclass(frozen=True)
class NetworkCall:
    """A call of the network from outside: its path ("" is the whole), tensors in and out (detached), mode, and whether it built a graph."""

    path: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    training: bool
    with_grad: bool


class Look:
    """Writes one stretch of the user's code down. `begin` and `stop` may be called from hooks anywhere in the loop."""

    def __init__(self, model: nn.Module, places: Places, on_call: Callable[[], None], averages: WeakSet[AveragedModel]) -> None:
        self.model, self.on_call, self.averages = model, on_call, averages  # averages: those called, filled in here
        root = bare(model)
        paths = {id(module): path for path, module in root.named_modules()}
        self.tape = Tape(places, paths)
        self.calls: list[NetworkCall] = []
        self._inside = 0
        self._handles: list[Any] = []
        self._on_stack = False

    def begin(self) -> None:
        """From here on."""
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, with_kwargs=True, always_call=True),
        ]
        self._push()

    def stop(self) -> bool:
        """Take hooks and tape out. A tape in use, or under somebody else's mode, stays, deaf: False, call again later."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.tape.depth += 1
        self._pop()
        return not self._on_stack

    def _enter(self, module: nn.Module, _args: Any) -> None:
        if isinstance(module, AveragedModel):
            self.averages.add(module)
        if torch.compiler.is_compiling() or self._path(module) is None:
            return
        self._inside += 1
        if self._inside == 1:
            self.on_call()
            self.tape.random = torch.get_rng_state()
            self._pop()
            self.tape.depth += 1

    def _path(self, module: nn.Module) -> str | None:
        """Where a module stands in the network, also of a network that torch.compile wraps; None for others."""
        inner = module._modules.get("_orig_mod")
        return self.tape.path_of.get(id(module if inner is None else inner))

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, result: Any = None) -> None:
        path = None if torch.compiler.is_compiling() else self._path(module)
        if path is None:
            return
        self._inside -= 1
        if self._inside:
            return
        self.tape.depth -= 1
        if result is None:  # the call raised, and torch left the keywords out
            return self._push()
        self.tape.called(module, path, args, kwargs, result)
        self.calls.append(NetworkCall(path, _tensors((args, kwargs)), _tensors(result), module.training, torch.is_grad_enabled()))
        self._push()

    def _push(self) -> None:
        if not self._on_stack and self._handles:
            self.tape.__enter__()
            self._on_stack = True

    def _pop(self) -> None:
        stack = _get_current_function_mode_stack()
        if self._on_stack and stack and stack[-1] is self.tape:
            self.tape.__exit__(None, None, None)
            self._on_stack = False


def _tensors(value: Any) -> tuple[Tensor, ...]:
    return tuple(leaf.detach() for leaf in flatten(value)[0] if isinstance(leaf, Tensor))
