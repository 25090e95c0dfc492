"""What was heard, as records: a loss call, a step, a recorded step (moment), a validation pass, a sample of the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from leadline.doctor.tape import Script


@dataclass(frozen=True)
class LossCall:
    """A call of a loss function of torch: its name ("cross_entropy"), what it got and what it gave.

    input, target: detached, as given (logits_NC and classes_N, say). options: its other arguments by name (reduction, weight...).
    """

    name: str
    input: Tensor | None
    target: Tensor | None
    options: dict[str, Any]
    value: Tensor | None
    with_grad: bool
    error: str | None = None


@dataclass
class Step:
    """One optimizer step, lightly: what happened in which order, and numbers that wait on the device until somebody asks.

    events: letters in the order heard: F forward (on recorded steps only), L loss call, B backward, Z zero_grad, C clip, S optimizer step.
    """

    index: int
    events: list[str] = field(default_factory=list[str])
    losses: list[float | Tensor] = field(default_factory=list[float | Tensor])  # what backward began at; tensors wait on a device
    criteria: list[Tensor] = field(default_factory=list[Tensor])  # values of heard loss functions, detached
    lrs: tuple[float, ...] = ()
    optimizers: list[int] = field(default_factory=list[int])  # numbers in Heard.optimizers
    clip: tuple[float, Any] | None = None  # limit, norm before
    loader: int | None = None  # id of the loader that its batch came from
    fresh_iterator: bool = False  # the loader was begun anew for this step
    sleeping: tuple[str, ...] = ()  # names of dropout and batch-norm modules that were in eval mode
    root_training: bool = True
    partly_awake: bool = False  # the network was in eval mode as a whole, and a part of it was not
    scale: float | None = None
    seconds: float = 0.0  # from the end of the step before, the doctor's examinations left out
    recorded: bool = False
    wait_s: float = 0.0  # of it, waiting for batches


@dataclass(frozen=True)
class Gauge:
    """Numbers of one recorded step, one per parameter tensor of the network (names in `names`), taken in one transfer.

    grads: gradient norms as the optimizer got them (None: no gradient). weights: norms. updates: |dw| / |w| on a sample of at most 4,096
    elements. moved: share of sampled elements that changed. nonzero_grad: share of sampled gradient elements that are not exactly 0.
    """

    step: int
    names: tuple[str, ...]
    grads: tuple[float | None, ...]
    weights: tuple[float, ...]
    updates: tuple[float, ...]
    moved: tuple[float, ...]
    nonzero_grad: tuple[float, ...]
    lr: float


@dataclass(frozen=True)
class Moment:
    """A recorded step, which can be done again. inputs: the arguments of the network's first call, tensors detached."""

    step: int
    script: Script
    losses: tuple[LossCall, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batch: Any
    clip: float | None
    scaled: float | None
    optimizers: tuple[int, ...]
    values: tuple[float, ...]  # losses at the backward passes

    @property
    def loss(self) -> LossCall | None:
        """The loss call that training went through: the last one with gradient."""
        with_grad = [call for call in self.losses if call.with_grad and call.input is not None]
        return with_grad[-1] if with_grad else None


@dataclass
class EvalPass:
    """One validation pass: loss calls and network calls without gradient between two training steps."""

    after_step: int
    values: list[Tensor] = field(default_factory=list[Tensor])
    calls: list[LossCall] = field(default_factory=list[LossCall])  # the first few
    loaders: list[int] = field(default_factory=list[int])
    training_mode: bool | None = None  # the network's mode, where it was heard
    script: Script | None = None  # of its first batch, with what was done to the outputs
    rows: int = 0


@dataclass
class Sample:
    """A sample of the batches that a loader gave: inputs and targets by the leaves of a batch, in the order given."""

    loader: Any
    batches: list[list[Tensor]] = field(default_factory=list[list[Tensor]])
    rows: int = 0
    begun: int = 0  # how often the loader was begun
    batches_given: int = 0

    def leaf(self, number: int) -> Tensor | None:
        """All rows of the `number`-th tensor of the batches, joined along the first axis; None where shapes do not fit."""
        parts = [batch[number] for batch in self.batches if len(batch) > number]
        if not parts or any(part.shape[1:] != parts[0].shape[1:] or part.ndim == 0 for part in parts):
            return None
        return torch.cat([part.cpu() for part in parts])
