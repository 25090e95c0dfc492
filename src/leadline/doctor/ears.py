"""Hears a training loop from outside: losses, backward passes, zeroing, steps, batches. The one file that leans on torch's edges.

While nobody listens torch is untouched; the first listener puts the ears in, the last one takes them out. A listener that fails is told
so and never disturbs the loop that it listens to.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import dataloader

LOSSES = (
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "cosine_embedding_loss", "margin_ranking_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss",
    "hinge_embedding_loss", "ctc_loss",
)  # fmt: skip
"""The loss functions of torch.nn.functional; the loss modules of torch.nn all call these."""


class StopTraining(Exception):
    """Raised through the user's loop, and only where the user asked for it."""


class Listener(Protocol):
    """What can be heard. Every method is called in the thread of the loop; none may keep the loop's tensors alive for long."""

    def on_loss_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None: ...
    def on_loss_failed(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> None: ...
    def before_backward(self, tensors: Any, gradients: Any) -> None: ...
    def on_zero_grad(self, owner: Optimizer | nn.Module) -> None: ...
    def before_step(self, optimizer: Optimizer, has_closure: bool) -> None: ...
    def before_update(self, optimizer: Optimizer) -> None: ...
    def after_step(self, optimizer: Optimizer) -> None: ...
    def on_clip(self, parameters: Any, limit: float, norm: Any) -> None: ...
    def on_schedule(self, scheduler: Any) -> None: ...
    def on_loader(self, loader: Any) -> None: ...
    def on_batch(self, loader: Any, batch: Any, seconds: float = 0.0) -> None: ...
    def on_mode(self, module: nn.Module, training: bool) -> None: ...
    def on_load(self, owner: Any, result: Any) -> None: ...
    def on_scale(self, scaler: Any, event: str) -> None: ...
    def failed(self, event: str, error: Exception) -> None: ...


class _Switchboard:
    """Who listens, and what must be put back when nobody does."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.undo: list[Callable[[], Any]] = []
        self.muted = 0
        self.busy = 0  # what runs now is ours or torch's own (a loader at work), not the user's step
        self.in_loss = 0
        self.stepping: list[int] = []  # optimizers in the middle of their step: one may step another, or its own base class


_BOARD = _Switchboard()  # patches of a process-wide library are process-wide: this state cannot live anywhere else


def listen(listener: Listener) -> None:
    """Tell `listener` from now on."""
    if not _BOARD.listeners:
        _put_in()
    _BOARD.listeners.append(listener)


def leave(listener: Listener) -> None:
    """Tell `listener` nothing more; torch is itself again when the last one left."""
    if listener not in _BOARD.listeners:
        return
    _BOARD.listeners.remove(listener)
    if not _BOARD.listeners:
        while _BOARD.undo:
            _BOARD.undo.pop()()


@contextmanager
def muted() -> Iterator[None]:
    """The doctor's own work, which nobody hears."""
    _BOARD.muted += 1
    try:
        yield
    finally:
        _BOARD.muted -= 1


def is_busy() -> bool:
    """Whether what torch computes now belongs to the doctor or to a loader, and not to the user's step."""
    return _BOARD.busy > 0


def tell(event: str, *what: Any) -> None:
    """Pass an event on. What a listener raises stays with it, but for a StopTraining that the user asked for."""
    if _BOARD.muted:
        return
    _BOARD.busy += 1
    for listener in _BOARD.listeners:
        try:
            getattr(listener, event)(*what)
        except StopTraining:
            _BOARD.busy -= 1
            raise
        except Exception as error:  # noqa: BLE001 - an error in the doctor must not end somebody's training
            listener.failed(event, error)
    _BOARD.busy -= 1


def _put_in() -> None:
    _BOARD.stepping.clear()
    for name in LOSSES:
        _replace(nn.functional, name, functools.partial(_hear_loss, name))
    _replace(torch.autograd, "backward", _hear_backward)
    _replace(nn.Module, "zero_grad", _then("on_zero_grad"))
    _replace(nn.Module, "train", _hear_mode)
    _replace(nn.Module, "load_state_dict", _then_result("on_load"))
    _replace(Optimizer, "load_state_dict", _then_result("on_load"))
    for kind in _with_subclasses(Optimizer):
        if "zero_grad" in vars(kind):
            _replace(kind, "zero_grad", _then("on_zero_grad"))
    for kind in _with_subclasses(lr_scheduler.LRScheduler):
        if "step" in vars(kind):
            _replace(kind, "step", _then("on_schedule"))
    _replace(torch.nn.utils.clip_grad, "_clip_grads_with_norm_", _hear_clip)
    _replace(dataloader._BaseDataLoaderIter, "__next__", _hear_batch)  # pyright: ignore[reportPrivateUsage]
    _replace(dataloader.DataLoader, "__iter__", _hear_loader)
    for kind in _with_subclasses(torch.amp.GradScaler):
        for name in ("scale", "update"):
            if name in vars(kind):
                _replace(kind, name, _then("on_scale", name))
    before = register_optimizer_step_pre_hook(_hear_step)
    after = register_optimizer_step_post_hook(_hear_stepped)
    _BOARD.undo += [before.remove, after.remove]


def _replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    original = vars(owner).get(name)
    if original is None:  # another version of torch: this ear stays deaf, and what it would have heard is not examined
        return
    heard = functools.wraps(original)(wrap(original))
    setattr(owner, name, heard)

    def put_back() -> None:
        if vars(owner).get(name) is heard:  # somebody who patched over us keeps what they did
            setattr(owner, name, original)

    _BOARD.undo.append(put_back)


def _with_subclasses(kind: type) -> list[type]:
    return [kind] + [each for child in kind.__subclasses__() for each in _with_subclasses(child)]


def _hear_loss(name: str, original: Any) -> Any:
    def loss(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or _BOARD.muted or _BOARD.in_loss:  # a loss within a loss, or once more under a tape
            return original(*args, **kwargs)
        _BOARD.in_loss += 1
        try:
            result = original(*args, **kwargs)
        except Exception as error:
            tell("on_loss_failed", name, args, kwargs, error)
            raise
        finally:
            _BOARD.in_loss -= 1
        tell("on_loss_call", name, args, kwargs, result)
        return result

    return loss


def _hear_backward(original: Any) -> Any:
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        tell("before_backward", tensors, args[0] if args else kwargs.get("grad_tensors"))
        return original(tensors, *args, **kwargs)

    return backward


def _then(event: str, *more: Any) -> Callable[[Any], Any]:
    """The original, and then the event with the object that it was called on."""

    def wrap(original: Any) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            tell(event, self, *more)
            return result

        return method

    return wrap


def _then_result(event: str) -> Callable[[Any], Any]:
    def wrap(original: Any) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            tell(event, self, result)
            return result

        return method

    return wrap


def _hear_mode(original: Any) -> Any:
    def train(self: nn.Module, mode: bool = True) -> Any:
        result = original(self, mode)
        tell("on_mode", self, mode)
        return result

    return train


def _hear_step(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
    """A step begins. Where it computes its gradients itself, in a closure, they are there only after that."""
    if _BOARD.muted:
        return None
    _BOARD.stepping.append(id(optimizer))
    if len(_BOARD.stepping) > 1:
        return None
    closure = kwargs.get("closure", args[1] if len(args) > 1 else None)  # args[0] is the optimizer
    tell("before_step", optimizer, closure is not None)
    if closure is None:
        return None

    def heard() -> Any:
        result = closure()
        tell("before_update", optimizer)
        return result

    return (args, {**kwargs, "closure": heard}) if "closure" in kwargs else ((args[0], heard, *args[2:]), kwargs)


def _hear_stepped(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    if _BOARD.muted:
        return
    if _BOARD.stepping:
        _BOARD.stepping.pop()
    if not _BOARD.stepping:
        tell("after_step", optimizer)


def _hear_clip(original: Any) -> Any:
    def clip(parameters: Any, max_norm: float, total_norm: Any, *args: Any, **kwargs: Any) -> Any:
        kept = list(parameters) if not isinstance(parameters, torch.Tensor) else [parameters]
        result = original(kept, max_norm, total_norm, *args, **kwargs)
        tell("on_clip", kept, max_norm, total_norm)
        return result

    return clip


def _hear_batch(original: Any) -> Any:
    def following(self: Any) -> Any:
        _BOARD.stepping.clear()  # a step that raised is over
        _BOARD.busy += 1
        try:
            began = time.perf_counter()
            batch = original(self)
        finally:
            _BOARD.busy -= 1
        tell("on_batch", getattr(self, "_leadline_loader", None), batch, time.perf_counter() - began)
        return batch

    return following


def _hear_loader(original: Any) -> Any:
    def begin(self: Any) -> Any:
        _BOARD.busy += 1
        try:
            iterator = original(self)
        finally:
            _BOARD.busy -= 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            iterator._leadline_loader = self  # an iterator does not know its loader; the loader owns the iterator, so nothing leaks
        tell("on_loader", self)
        return iterator

    return begin
