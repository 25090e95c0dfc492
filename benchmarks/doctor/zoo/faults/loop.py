"""Faults of the training loop: T01 to T05."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zoo.faults.fault import ALL, Fault, need
from zoo.faults.surgery import head
from zoo.program import Data, Setup, casting, plain_validate, update, with_data, with_optimizer


def plain_loop(setup: Setup) -> Setup:
    """The set-up, if its loop is the ordinary one with one optimizer."""
    need(setup.scaler is None and not isinstance(setup.optimizer, list), "an ordinary loop")
    return setup


def computed(setup: Setup, batch: Data) -> Tensor:
    """The batch's loss."""
    with casting(setup):
        return setup.objective(setup, setup.forward(setup, batch), batch)


# T01 missing_zero_grad


def step_without_zero(setup: Setup, batch: Data, index: int) -> Tensor:
    """Backward and step; nobody empties the gradients."""
    loss = computed(setup, batch)
    loss.backward()
    update(setup)
    return loss


def zero_omitted(setup: Setup) -> Setup:
    """zero_grad is never called."""
    return replace(plain_loop(setup), step=step_without_zero, accumulate=1)


def zero_once_an_epoch(setup: Setup) -> Setup:
    """zero_grad stands in the outer loop."""
    return replace(plain_loop(setup), step=step_without_zero, new_epoch=lambda s, epoch: s.optimizer.zero_grad(), accumulate=1)


def step_zeroing_another(setup: Setup, batch: Data, index: int) -> Tensor:
    """Empties the gradients of the optimizer that belongs to an old copy of the model."""
    setup.state["old"].zero_grad()
    return step_without_zero(setup, batch, index)


def zero_of_another(setup: Setup) -> Setup:
    """zero_grad goes to the optimizer of another model (the two were copied and pasted)."""
    assert setup.make_optimizer is not None
    old = setup.make_optimizer(list(copy.deepcopy(setup.model).parameters()))
    return replace(plain_loop(setup), step=step_zeroing_another, accumulate=1, state={"old": old})


def step_zeroing_head(setup: Setup, batch: Data, index: int) -> Tensor:
    """Empties the head's gradients only."""
    head(setup).zero_grad()
    return step_without_zero(setup, batch, index)


def zero_of_head(setup: Setup) -> Setup:
    """Only model.head.zero_grad() is called, left over from training the head alone."""
    head(setup)
    return replace(plain_loop(setup), step=step_zeroing_head, accumulate=1)


# T02 missing_step


def step_without_step(setup: Setup, batch: Data, index: int) -> Tensor:
    """zero_grad and backward, and the schedule moves on, but the optimizer never steps."""
    setup.optimizer.zero_grad()
    loss = computed(setup, batch)
    loss.backward()
    if setup.scheduler is not None and setup.schedule_per == "step":
        setup.scheduler.step()
    return loss


def step_omitted(setup: Setup) -> Setup:
    """optimizer.step() is not there."""
    return replace(plain_loop(setup), step=step_without_step)


def step_after_zero(setup: Setup, batch: Data, index: int) -> Tensor:
    """backward, zero_grad, step: the gradients are gone when they are needed."""
    loss = computed(setup, batch)
    loss.backward()
    setup.optimizer.zero_grad()
    update(setup)
    return loss


def zero_before_step(setup: Setup) -> Setup:
    """zero_grad stands between backward and step."""
    return replace(plain_loop(setup), step=step_after_zero, accumulate=1, clip=None)


def step_zero_filled(setup: Setup, batch: Data, index: int) -> Tensor:
    """As before with set_to_none=False: momentum and weight decay still move."""
    loss = computed(setup, batch)
    loss.backward()
    setup.optimizer.zero_grad(set_to_none=False)
    update(setup)
    return loss


def zero_filled_before_step(setup: Setup) -> Setup:
    """The gradients are zeroed, not removed, between backward and step."""
    return replace(plain_loop(setup), step=step_zero_filled, accumulate=1)


def step_never_full(setup: Setup, batch: Data, index: int) -> Tensor:
    """Steps when index % every == every: never."""
    loss = computed(setup, batch)
    loss.backward()
    if index % 8 == 8:
        update(setup)
        setup.optimizer.zero_grad()
    return loss


def accumulation_never_full(setup: Setup) -> Setup:
    """The accumulation's condition is never true."""
    return replace(plain_loop(setup), step=step_never_full)


# T03 eval_stuck


def has_modes(setup: Setup) -> None:
    """Batch norm or dropout, without which eval() changes nothing."""
    kinds = {type(m).__name__ for m in setup.model.modules() if not (type(m).__name__ == "Dropout" and getattr(m, "p", 0) == 0)}
    need(any("BatchNorm" in kind or "Dropout" in kind for kind in kinds), "batch norm or dropout")


def validate_and_stay(setup: Setup) -> None:
    """Validates and forgets model.train() afterwards."""
    plain_validate(setup)
    setup.model.eval()


def train_forgotten(setup: Setup) -> Setup:
    """eval() in the validation pass, no train() after it."""
    has_modes(setup)
    return replace(setup, validate=validate_and_stay, validate_every=1)


def eval_first(setup: Setup) -> Setup:
    """eval() at every epoch's start: the two calls were exchanged."""
    has_modes(setup)

    def new_epoch(s: Setup, epoch: int) -> None:
        s.model.eval()

    return replace(setup, new_epoch=new_epoch)


# T04 wrong_accumulation

MICRO = 8  # micro-batches an update: what small GPUs are used with


def in_parts(setup: Setup) -> Setup:
    """The loader gives micro-batches, an eighth of the batch, and more of them."""
    size = setup.loader.batch_size or 0
    need(size >= 2 * MICRO and len(setup.train_data) > 1, "a batch that can be divided")
    return replace(plain_loop(with_data(setup, batch_size=size // MICRO)), steps=setup.steps * 4)  # half the updates: time


def accumulated_sum(setup: Setup, batch: Data, index: int) -> Tensor:
    """Gradients of MICRO batches are added, never divided."""
    if index % MICRO == 0:
        setup.optimizer.zero_grad()
    loss = computed(setup, batch)
    loss.backward()
    if (index + 1) % MICRO == 0:
        update(setup)
    return loss


def not_divided(setup: Setup) -> Setup:
    """loss / accumulate is missing: the update is MICRO times the meant one."""
    return replace(in_parts(setup), step=accumulated_sum)


def accumulated_zeroed(setup: Setup, batch: Data, index: int) -> Tensor:
    """zero_grad at every micro-batch: only the last of MICRO counts."""
    setup.optimizer.zero_grad()
    loss = computed(setup, batch)
    (loss / MICRO).backward()
    if (index + 1) % MICRO == 0:
        update(setup)
    return loss


def zero_each_part(setup: Setup) -> Setup:
    """zero_grad stands inside the accumulation."""
    return replace(in_parts(setup), step=accumulated_zeroed)


def step_each_part(setup: Setup, batch: Data, index: int) -> Tensor:
    """step at every micro-batch with gradients still adding up until the accumulation is full."""
    if index % MICRO == 0:
        setup.optimizer.zero_grad()
    loss = computed(setup, batch)
    loss.backward()
    update(setup)
    return loss


def step_inside(setup: Setup) -> Setup:
    """step slipped into the accumulation: early micro-batches are used MICRO times."""
    return replace(in_parts(setup), step=step_each_part)


# T05 recreated_each_epoch


def keep_start(setup: Setup) -> dict[str, Any]:
    """The weights before training."""
    need(len(setup.loader) * 2 < setup.steps, "several epochs")
    return {"start": copy.deepcopy(setup.model.state_dict())}


def reload_start(setup: Setup, epoch: int) -> None:
    """Loads the checkpoint that was saved once, before training."""
    setup.model.load_state_dict(setup.state["start"])


def checkpoint_reloaded(setup: Setup) -> Setup:
    """load_state_dict of an old checkpoint at every epoch's start."""
    return replace(setup, state=keep_start(setup), new_epoch=reload_start)


def reset_all(setup: Setup, epoch: int) -> None:
    """Calls reset_parameters on every module again."""
    for module in setup.model.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()


def initialised_each_epoch(setup: Setup) -> Setup:
    """model.apply(init_weights) inside the epoch loop."""
    keep_start(setup)
    return replace(setup, new_epoch=reset_all)


def fresh_optimizer(setup: Setup, epoch: int) -> None:
    """Builds the optimizer (and its schedule) again."""
    new = with_optimizer(setup, setup.state["maker"])
    setup.optimizer, setup.scheduler = new.optimizer, new.scheduler


def optimizer_recreated(setup: Setup) -> Setup:
    """The optimizer is built inside the epoch loop: its moments and schedule begin anew."""
    keep_start(setup)
    return replace(plain_loop(setup), state={"maker": setup.make_optimizer}, new_epoch=fresh_optimizer)


def fresh_both(setup: Setup, epoch: int) -> None:
    """A new copy of the untrained model and its optimizer."""
    torch.manual_seed(setup.seed + epoch)
    setup.model = copy.deepcopy(setup.state["model"])
    setup.model.train()
    fresh_optimizer(setup, epoch)


def both_recreated(setup: Setup) -> Setup:
    """Model and optimizer are built inside the epoch (or fold) loop."""
    keep_start(setup)
    state = {"maker": setup.make_optimizer, "model": copy.deepcopy(setup.model)}
    return replace(plain_loop(setup), state=state, new_epoch=fresh_both)


NO_BATCH_NORM = tuple(family for family in ALL if family not in ("cnn_bn", "resnet", "unet"))  # small parts would be M13 there
STALE = "a step uses gradients of earlier batches"
STILL = "no parameter moves although gradients are there"
THROWN = "what an epoch learnt is thrown away at the next"
MODE = "dropout or batch norm in eval mode at optimizer.step"
FAULTS = (
    Fault("T01", "omitted", zero_omitted, ALL, invariant=STALE, stage="L"),
    Fault("T01", "once_an_epoch", zero_once_an_epoch, ALL, invariant=STALE, stage="L"),
    Fault("T01", "of_another_model", zero_of_another, ALL, invariant=STALE, stage="L"),
    Fault("T01", "of_head_only", zero_of_head, ALL, invariant=STALE, stage="L"),
    Fault("T02", "omitted", step_omitted, ALL, invariant=STILL, stage="L"),
    Fault("T02", "zero_before_step", zero_before_step, ALL, invariant=STILL, stage="L"),
    Fault("T02", "zero_filled_before_step", zero_filled_before_step, ALL, invariant="gradients are zero at every step", stage="L"),
    Fault("T02", "accumulation_never_full", accumulation_never_full, ALL, invariant=STILL, alike=("T01", "T04"), stage="L"),
    Fault("T03", "train_forgotten", train_forgotten, ALL, base={"dropout": 0.2}, invariant=MODE, stage="L"),
    Fault("T03", "eval_each_epoch", eval_first, ALL, base={"dropout": 0.2}, invariant=MODE, stage="L"),
    Fault("T04", "not_divided", not_divided, NO_BATCH_NORM, base={"optimizer": "sgd"}, alike=("O01", "L06"), stage="L"),
    Fault("T04", "zero_each_part", zero_each_part, NO_BATCH_NORM, invariant="a part's gradients are lost", stage="L"),
    Fault("T04", "step_each_part", step_inside, NO_BATCH_NORM, invariant=STALE, alike=("T01",), stage="L"),
    Fault("T05", "checkpoint_reloaded", checkpoint_reloaded, ALL, invariant=THROWN, stage="L"),
    Fault("T05", "initialised_each_epoch", initialised_each_epoch, ALL, invariant=THROWN, stage="L"),
    Fault(
        "T05",
        "optimizer_recreated",
        optimizer_recreated,
        ALL,
        base={"optimizer": "momentum"},
        invariant="state is lost every epoch",
        stage="L",
    ),
    Fault("T05", "both_recreated", both_recreated, ALL, invariant=THROWN, stage="L"),
)
