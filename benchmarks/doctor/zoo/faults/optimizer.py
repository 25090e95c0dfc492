"""Faults of the optimizer's parameters and numbers: O01 to O04 and O06 to O08."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.faults.fault import ALL, CLASSIFY, DoesNotFit, Fault, need
from zoo.faults.surgery import before_head, head, hidden, place
from zoo.program import Data, Setup, casting, with_optimizer


def groups(setup: Setup) -> list[dict[str, Any]]:
    """The parameter groups of the one optimizer."""
    need(not isinstance(setup.optimizer, list) and setup.make_optimizer is not None, "one optimizer")
    return setup.optimizer.param_groups


def altered(setup: Setup, change: Callable[[dict[str, Any]], None]) -> Setup:
    """The optimizer built with other numbers, and a schedule that starts from them."""
    groups(setup)
    maker = setup.make_optimizer
    assert maker is not None

    def make(parameters: Any) -> Any:
        optimizer = maker(parameters)
        for group in optimizer.param_groups:
            change(group)
        return optimizer

    return with_optimizer(setup, make)


def times_lr(factor: float) -> Callable[[Setup], Setup]:
    """The learning rate times a factor."""

    def plant(setup: Setup) -> Setup:
        return altered(setup, lambda group: group.update(lr=group["lr"] * factor))

    return plant


def set_values(**values: Any) -> Callable[[Setup], Setup]:
    """Other values in every group; the optimizer must know them."""

    def plant(setup: Setup) -> Setup:
        need(all(key in group for group in groups(setup) for key in values), f"an optimizer with {', '.join(values)}")
        return altered(setup, lambda group: group.update(values))

    return plant


# O03 wrong_parameters


def optimizer_over(setup: Setup, parameters: list[Any]) -> Setup:
    """The optimizer over these parameters; the model stays."""
    groups(setup)
    need(bool(parameters), "parameters for the optimizer")
    assert setup.make_optimizer is not None
    optimizer = setup.make_optimizer(parameters)
    return replace(setup, optimizer=optimizer, scheduler=None if setup.make_scheduler is None else setup.make_scheduler(optimizer))


def of_old_copy(setup: Setup) -> Setup:
    """The optimizer was built before the model was copied (moved, wrapped): it holds the old tensors."""
    return optimizer_over(setup, [p for p in copy.deepcopy(setup.model).parameters() if p.requires_grad])


def body_missing(setup: Setup) -> Setup:
    """Only the head was given to the optimizer, in a net that nobody pre-trained."""
    return optimizer_over(setup, list(head(setup).parameters()))


def hidden_missing(setup: Setup) -> Setup:
    """The largest hidden part was forgotten in the list of parameters."""
    part = {id(p) for p in setup.model.get_submodule(hidden(setup)).parameters()}
    return optimizer_over(setup, [p for p in setup.model.parameters() if p.requires_grad and id(p) not in part])


def head_replaced(setup: Setup) -> Setup:
    """The head was replaced after the optimizer was built."""
    old = head(setup)
    before = setup.optimizer
    fresh = copy.deepcopy(old)
    fresh.reset_parameters()
    place(setup.model, setup.head, fresh)
    return replace(setup, optimizer=before)


def layer_added_later(setup: Setup) -> Setup:
    """A narrow new layer was put before the head after the optimizer was built: it stays at random."""
    narrow = max(2, (setup.num_classes or 4) // 2)
    need(isinstance(head(setup), nn.Linear), "a linear head")
    changed = before_head(setup, lambda width: nn.Sequential(nn.Linear(width, narrow), nn.Tanh(), nn.Linear(narrow, width)))
    late = {id(p) for p in changed.model.get_submodule(setup.head)[0].parameters()}  # type: ignore[index]
    return optimizer_over(changed, [p for p in changed.model.parameters() if p.requires_grad and id(p) not in late])


def biases_only(setup: Setup) -> Setup:
    """A filter by name took the weights out: only biases and norms are trained."""
    return optimizer_over(setup, [p for p in setup.model.parameters() if p.requires_grad and p.dim() == 1])


# O07 clipping_throttles


def clip_norm(setup: Setup) -> Setup:
    """max_norm=1e-3."""
    return replace(setup, clip=1e-3)


def clip_value(setup: Setup) -> Setup:
    """clip_grad_value_ at 1e-5."""
    need(setup.scaler is None and setup.accumulate == 1, "an ordinary loop")

    def step(s: Setup, batch: Data, index: int) -> Tensor:
        s.optimizer.zero_grad()
        with casting(s):
            loss = s.objective(s, s.forward(s, batch), batch)
        loss.backward()
        nn.utils.clip_grad_value_(s.model.parameters(), 1e-5)
        s.optimizer.step()
        if s.scheduler is not None and s.schedule_per == "step":
            s.scheduler.step()
        return loss

    return replace(setup, step=step)


def normalised_gradient(setup: Setup) -> Setup:
    """max_norm is a thousandth, and clipping is applied parameter by parameter."""
    need(setup.scaler is None and setup.accumulate == 1, "an ordinary loop")

    def after(parameter: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda gradient: gradient * (1e-3 / gradient.norm().clamp_min(1e-3))

    for parameter in setup.model.parameters():
        if parameter.requires_grad:
            parameter.register_hook(after(parameter))
    return setup


# O08 state_lost_at_resume


def resumed(setup: Setup, change: Callable[[Setup], None]) -> Setup:
    """A stop and a resume in the middle of the run, as far as one process can have it."""
    need(len(setup.loader) * 2 < setup.steps, "several epochs")
    groups(setup)
    middle = setup.steps // len(setup.loader) // 2

    def new_epoch(s: Setup, epoch: int) -> None:
        if epoch == middle:
            change(s)

    return replace(setup, new_epoch=new_epoch)


def state_not_loaded(setup: Setup) -> Setup:
    """Every epoch a new job resumes from the weights alone: the optimizer's state is never saved."""

    def clear(s: Setup) -> None:
        s.optimizer.state.clear()

    return resumed(setup, clear)


def rate_of_start(setup: Setup) -> Setup:
    """The schedule was not saved: after the resume it begins anew, at a learning rate ten times the first."""

    def restart(s: Setup) -> None:
        s.optimizer.state.clear()
        s.scheduler = None  # the schedule was not rebuilt at all
        for group in s.optimizer.param_groups:
            group["lr"] = group.get("initial_lr", group["lr"]) * 10  # the script's old default

    return resumed(setup, restart)


def weights_only_some(setup: Setup) -> Setup:
    """The optimizer is rebuilt at resume with its defaults: Adam at 0.001 or SGD at 0.1, whatever was tuned."""

    def rebuild(s: Setup) -> None:
        kind = type(s.optimizer)
        parameters = [p for group in s.optimizer.param_groups for p in group["params"]]
        s.optimizer = kind(parameters, lr=0.1) if kind is torch.optim.SGD else kind(parameters)
        s.scheduler = None

    return resumed(setup, rebuild)


def fit_adam(setup: Setup) -> None:
    """Adam's kind."""
    if "betas" not in groups(setup)[0]:
        raise DoesNotFit("Adam")


SGD, MOMENTUM, ADAM, ADAMW = ({"optimizer": name} for name in ("sgd", "momentum", "adam", "adamw"))
SOME = "trainable parameters are in no optimizer"
NONE = "the optimizer holds tensors that the model does not have"
LOST = "the optimizer's state after the resume is not the state before"
FAULTS = (
    Fault("O01", "adam_x100", times_lr(100.0), ALL, base=ADAM, alike=("M02",)),
    Fault("O01", "sgd_x30", times_lr(30.0), ALL, base=SGD, alike=("M02",)),
    Fault("O01", "momentum_x100", times_lr(100.0), ALL, base=MOMENTUM, alike=("M02",)),
    Fault("O02", "adam_div1000", times_lr(1e-3), ALL, base=ADAM, stage="L"),
    Fault("O02", "sgd_div1000", times_lr(1e-3), ALL, base=SGD, stage="L"),
    Fault("O02", "sgd_at_adams_rate", set_values(lr=3e-4), ALL, base=SGD, stage="L"),
    Fault("O03", "of_old_copy", of_old_copy, ALL, invariant=NONE, stage="S"),
    Fault("O03", "body_missing", body_missing, ALL, invariant=SOME, stage="S"),
    Fault("O03", "hidden_missing", hidden_missing, ALL, invariant=SOME, stage="S"),
    Fault("O03", "head_replaced", head_replaced, ALL, invariant=SOME, stage="S"),
    Fault("O03", "layer_added_later", layer_added_later, CLASSIFY, invariant=SOME, stage="S"),
    Fault("O03", "biases_only", biases_only, ALL, invariant=SOME, stage="S"),
    Fault("O04", "adam_l2_1", set_values(weight_decay=1.0), ALL, base=ADAM, stage="L"),
    Fault("O04", "adamw_30", set_values(weight_decay=30.0), ALL, base=ADAMW, stage="L"),
    Fault("O04", "sgd_half", set_values(weight_decay=0.5), ALL, base=MOMENTUM, stage="L"),
    Fault("O06", "eps_tenth", set_values(eps=0.1), ALL, base=ADAM, alike=("O02",), stage="L"),
    Fault("O06", "eps_one", set_values(eps=1.0), ALL, base=ADAM, alike=("O02",), stage="L"),
    Fault("O06", "betas_swapped", set_values(betas=(0.999, 0.9)), ALL, base=ADAM, alike=("O01",), stage="L"),
    Fault("O06", "momentum_0.999", set_values(momentum=0.999), ALL, base=MOMENTUM, alike=("O01",), stage="L"),
    Fault("O06", "beta2_one", set_values(betas=(0.9, 1.0)), ALL, base=ADAM, stage="L"),
    Fault("O07", "max_norm_1e-3", clip_norm, ALL, base=SGD, stage="L"),
    Fault("O07", "clip_value_1e-5", clip_value, ALL, base=MOMENTUM, stage="L"),
    Fault("O07", "per_parameter_hook", normalised_gradient, ALL, base=SGD, stage="L"),
    Fault("O08", "state_cleared", state_not_loaded, ALL, base=ADAM, invariant=LOST, stage="L"),
    Fault("O08", "rate_of_start", rate_of_start, ALL, base=MOMENTUM, invariant=LOST, alike=("O01",), stage="L"),
    Fault("O08", "defaults_at_resume", weights_only_some, ALL, base=ADAM, invariant=LOST, stage="L"),
)
