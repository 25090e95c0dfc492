"""A copy of network and optimizer on which the doctor tries things, and on which recorded steps are done again."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.ears import muted
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Entry, NotReplayable, Places, play
from leadline.models.undisturbed import generators_kept


def bare(model: nn.Module) -> nn.Module:
    """The user's own network, out of the wrappers of torch.compile and data parallelism."""
    while True:
        inner = getattr(model, "_orig_mod", None)  # torch.compile
        inner = inner if inner is not None else getattr(model, "module", None) if _is_parallel(model) else None
        if inner is None:
            return model
        model = inner


def is_lazy(tensor: Tensor) -> bool:
    """Whether a parameter has no shape yet: a lazy layer before its first forward pass."""
    return isinstance(tensor, nn.parameter.UninitializedParameter | nn.parameter.UninitializedBuffer)


def minds_mode(module: nn.Module) -> bool:
    """Whether a module computes otherwise in eval mode."""
    dropout = isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0  # pyright: ignore[reportPrivateUsage]
    return dropout or isinstance(module, nn.modules.batchnorm._BatchNorm) or (isinstance(module, nn.RNNBase) and module.dropout > 0)  # pyright: ignore[reportPrivateUsage]


def _is_parallel(model: nn.Module) -> bool:
    return type(model).__name__ in ("DistributedDataParallel", "DataParallel")


def places(model: nn.Module, optimizers: list[Optimizer]) -> Places:
    """Every parameter, buffer and optimised tensor, in one fixed order."""
    tensors = [*model.parameters(), *model.buffers()]
    known = {id(tensor) for tensor in tensors}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            tensors += [p for p in group["params"] if id(p) not in known and not known.add(id(p))]  # type: ignore[func-returns-value]
    return Places(tensors)


def given_optimizers(optimizer: Any) -> list[Optimizer]:
    """One optimizer or several, out of the wrappers of other libraries. Raises TypeError."""
    return [_unwrapped(each) for each in (optimizer if isinstance(optimizer, (list, tuple)) else [optimizer])]


def _unwrapped(optimizer: Any) -> Optimizer:
    """The torch optimizer inside a wrapper of Accelerate or Lightning."""
    while not isinstance(optimizer, Optimizer) or type(optimizer).__module__.startswith("accelerate"):
        inner = getattr(optimizer, "optimizer", None) or getattr(optimizer, "_optimizer", None)
        if inner is None:
            raise TypeError(f"watch needs a torch optimizer, and got {type(optimizer).__name__}")
        optimizer = inner
    return optimizer


def copied(model: nn.Module, optimizers: list[Optimizer], extra: Any = None) -> tuple[nn.Module, list[Optimizer], Any]:
    """Copies that share among themselves what the originals share. Raises NotReplayable."""
    memo: dict[int, Any] = {}
    try:
        copies = copy.deepcopy((model, optimizers, extra), memo)
        for old, new in zip(optimizers, copies[1], strict=True):
            _carry_over(old, new, memo)
    except Exception as error:
        raise NotReplayable(f"the network cannot be copied ({type(error).__name__}: {error})") from error
    return copies


def _carry_over(old: Optimizer, new: Optimizer, memo: dict[int, Any]) -> None:
    """What a copy of a torch optimizer leaves out: it takes groups and state only, and LBFGS keeps more."""
    for name, value in vars(old).items():
        if name not in vars(new) and name != "step" and "hook" not in name and not callable(value):
            setattr(new, name, copy.deepcopy(value, memo))


class Twin:
    """Its own weights, optimizer state and modes; nothing done to it reaches the original. Raises NotReplayable."""

    def __init__(self, model: nn.Module, optimizers: list[Optimizer], extra: Any = None) -> None:
        self.model, self.optimizers, self.extra = copied(bare(model), optimizers, extra)
        self.places = places(self.model, self.optimizers)

    def again(self) -> Twin:
        """A copy of this copy."""
        return Twin(self.model, self.optimizers, self.extra)

    def module_at(self, path: str) -> nn.Module:
        return self.model.get_submodule(path) if path else self.model

    def gradients(
        self,
        moment: Moment,
        *,
        change: Callable[[Entry, Any, Any], tuple[Any, Any]] | None = None,
        watch: Callable[[int, Entry, Any], Any] | None = None,
    ) -> list[float]:
        """Forward and backward of a recorded step on this copy, with the same random draws; its loss values."""
        for tensor in self.places.tensors:
            tensor.grad = None
        with torch.enable_grad():
            losses = play(moment.script, self.places, self.module_at, change=change, watch=watch)
        return [float(loss.detach().double().sum()) for loss in losses]

    def loss(self, moment: Moment, *, change: Callable[[Entry, Any, Any], tuple[Any, Any]] | None = None) -> float:
        """The sum of a recorded step's losses on this copy, without a backward pass (modes as recorded, buffers may move)."""
        with torch.enable_grad():  # each entry sets its own
            losses = play(moment.script, self.places, self.module_at, change=change, backward=_nothing)
        return sum(float(loss.detach().double().sum()) for loss in losses)

    def step(
        self, moment: Moment, *, change: Callable[[Entry, Any, Any], tuple[Any, Any]] | None = None, clip: float | None = None
    ) -> list[float]:
        """Do a recorded step again: gradients, unscaling and clipping as in the original (or `clip`), optimizer step. Its losses before."""
        values = self.gradients(moment, change=change)
        for_step = [self.optimizers[number] for number in moment.optimizers] or self.optimizers
        if moment.scaled:
            grads = [t.grad for t in self.places.tensors if t.grad is not None]
            torch._foreach_mul_(grads, 1.0 / moment.scaled)  # pyright: ignore[reportPrivateImportUsage]
        limit = moment.clip if clip is None else clip
        if limit is not None:
            torch.nn.utils.clip_grad_norm_([p for o in for_step for g in o.param_groups for p in g["params"]], limit)
        for optimizer in for_step:
            self._advance(optimizer, moment, change)
        return [value / (moment.scaled or 1.0) for value in values]

    def _advance(self, optimizer: Optimizer, moment: Moment, change: Any) -> None:
        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(lambda: torch.tensor(sum(self.gradients(moment, change=change))))  # pyright: ignore[reportArgumentType]
        else:
            plain_step(optimizer)


def plain_step(optimizer: Optimizer) -> None:
    """A step without the wrapper that a schedule puts around the original's."""
    type(optimizer).step(optimizer)  # pyright: ignore[reportCallIssue]


def _nothing(_tensor: Tensor) -> None:
    return None


@contextmanager
def aside(models: list[nn.Module]) -> Iterator[None]:
    """The doctor's own work: generators, modes, autocast, gradient mode and warnings of the user are as before when it ends."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    with warnings.catch_warnings(), generators_kept(), muted(), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode


def seed_all(seed: int) -> None:
    """All host generators, inside `aside`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
