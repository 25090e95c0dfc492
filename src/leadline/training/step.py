"""One optimizer step: the task's losses over micro-batches, gradients summed over processes, and the update."""

# pyright: reportPrivateImportUsage=false
# torch's foreach functions are the way to treat all parameters in one call; they have no public name.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from leadline.base.errors import LeadlineError
from leadline.record.batch import Batch
from leadline.tasks.task import Loss, Task
from leadline.training import oom
from leadline.training.batch_norm import has_batch_norm
from leadline.training.distributed import World
from leadline.training.heap import keep_freed_memory
from leadline.training.meter import Taken
from leadline.training.optim import Optimizers
from leadline.training.precision import Precision
from leadline.training.shared_chance import share_chance
from leadline.training.update import Gradients, Updater


@dataclass
class Sums:
    """What the micro-batches of one loss add up to. loss and seen: sums over units, divided by the examples in the step's batch."""

    part: str
    loss: torch.Tensor
    units: float | torch.Tensor
    seen: dict[str, torch.Tensor]

    def add(self, other: Sums) -> None:
        """Take in the next micro-batch."""
        self.loss = self.loss + other.loss
        self.units += other.units
        self.seen = {name: value + other.seen[name] for name, value in self.seen.items()}


class Result(NamedTuple):
    """A step's numbers, the sums of what all processes voted, and whether it met a loss or gradient that is not finite."""

    taken: Taken
    votes: tuple[float, ...]
    tripped: bool


class Stepper:
    """Makes steps. parts: micro-batches per step; more than asked for after memory ran out."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        optimizers: Mapping[str, Optimizers],
        *,
        updater: Updater,
        precision: Precision,
        world: World,
        parts: int,
    ) -> None:
        """model: as it is called, compiled or not. optimizers: by the part whose losses they lower."""
        self.model, self.task, self.optimizers, self.updater = model, task, optimizers, updater
        self.precision, self.world, self.parts = precision, world, parts
        device = next(model.parameters()).device
        keep_freed_memory(device)
        self._context = precision.autocast(device)
        self._share = share_chance(model, world)
        self._seen: tuple[str, ...] = ()
        # A process that begins its forward pass again would leave the others waiting in the batch norms' exchanges.
        self._cannot_begin_again = world.size > 1 and has_batch_norm(model)

    def take(self, batch: Batch, *, step: int, votes: tuple[float, ...] = ()) -> Result:
        """Make step number `step` (from 1). When memory runs out, the batch is cut finer and the same step begins again.

        votes: this process's wishes. Raises LeadlineError LL032 when one example at a time does not fit.
        """
        done: list[Result] = []
        while not self._attempt(batch, done, step=step, votes=votes):
            if self._cannot_begin_again:
                raise _stuck(step)
            oom.release(batch.target.device)
            self.parts = oom.finer(self.parts, examples=len(batch), step=step)
        return done[0] if len(done) == 1 else _merged(done)

    def _attempt(self, batch: Batch, done: list[Result], *, step: int, votes: tuple[float, ...]) -> bool:
        """All losses of a step, each with its update; those done already are only computed. False when memory ran out."""
        streams = self._streams(batch)
        number = 0
        while True:
            try:
                sums = self._next(streams, batch)
            except (RuntimeError, MemoryError) as error:
                if not oom.is_out_of_memory(error):
                    raise
                self._forget()
                return False
            if sums is None:
                return True
            if number >= len(done):
                done.append(self._update(sums, batch, step=step, votes=votes))
            if done[-1].tripped:
                return True
            number += 1

    def _streams(self, batch: Batch) -> list[Iterator[Loss]]:
        """The task's losses over each micro-batch. They advance side by side: a later loss sees what the earlier one's step changed."""
        if len(batch) == 0:
            return [_nothing(self.model, batch, self._seen)]
        return [self._losses(part) for part in (batch.parts(self.parts) if self.parts > 1 else (batch,))]

    def _losses(self, part: Batch) -> Iterator[Loss]:
        yield from self.task.losses(self.model, self.precision.arrange(part))

    def _next(self, streams: list[Iterator[Loss]], batch: Batch) -> Sums | None:
        """Forward and backward of the next loss over all micro-batches; None when the task has no further one."""
        self._forget()
        total = batch.total or len(batch)
        size = -(-len(batch) // len(streams))
        sums: Sums | None = None
        for number, stream in enumerate(streams):
            if self._share is not None:
                self._share.take(batch, offset=number * size, count=min(size, len(batch) - number * size))
            with self._context:
                loss = next(stream, None)
            if loss is None:
                return None
            found = self._backward(loss, total)
            if sums is None:
                sums = found
            else:
                sums.add(found)
        return sums

    def _backward(self, loss: Loss, total: int) -> Sums:
        share, scaler = loss.units / total, self.updater.scaler
        value = loss.value * share if isinstance(share, torch.Tensor) or share != 1 else loss.value
        (value if scaler is None else scaler.scale(value)).backward()
        return Sums(loss.part, value.detach(), loss.units, {name: seen.detach() / total for name, seen in loss.seen.items()})

    def _update(self, sums: Sums, batch: Batch, *, step: int, votes: tuple[float, ...]) -> Result:
        """From the sums to one step of the part's optimizers."""
        optimizers, total = self.optimizers[sums.part], batch.total or len(batch)
        self._seen = tuple(sums.seen)
        if self.world.size > 1:
            votes = exchange(sums, optimizers, self.world, votes)
        if self.updater.scaler is not None:
            self.updater.scaler.unscale_(optimizers)  # pyright: ignore[reportArgumentType]  # it reads param_groups and nothing else
        gradients = _gradients(optimizers, sums)
        if isinstance(sums.units, torch.Tensor) or sums.units != total:  # tokens on a device are not looked at, so as not to wait for it
            gradients = _means(sums, gradients, total)
        try:
            made = self.updater.apply(optimizers, gradients, step=step)
        except (RuntimeError, MemoryError) as error:
            if not oom.is_out_of_memory(error):
                raise
            raise _no_room(step) from error
        taken = Taken({sums.part: sums.loss}, sums.seen, total, made.norms, gradients.names, made.norm, made.clipped, made.skipped)
        return Result(taken, votes, made.tripped)

    def _forget(self) -> None:
        for optimizers in self.optimizers.values():
            optimizers.zero_grad()


def exchange(sums: Sums, optimizers: Optimizers, world: World, votes: tuple[float, ...]) -> tuple[float, ...]:
    """Sum gradients, losses and votes over all processes. A parameter that one of them has a gradient for has one on all."""
    parameters = [parameter for parameter in optimizers.parameters.values() if parameter.requires_grad]
    tally = world.tally([*votes, float(sums.units), *(float(parameter.grad is not None) for parameter in parameters)])
    sums.units = tally[len(votes)] or 1.0
    present = [parameter for parameter, count in zip(parameters, tally[len(votes) + 1 :], strict=True) if count]
    gradients = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in present]
    for parameter, gradient in zip(present, gradients, strict=True):
        parameter.grad = gradient
    sums.loss = sums.loss.clone()
    sums.seen = {name: value.float() for name, value in sums.seen.items()}
    world.sum_([*gradients, sums.loss, *sums.seen.values()])
    return tuple(tally[: len(votes)])


def _nothing(model: nn.Module, batch: Batch, seen: tuple[str, ...]) -> Iterator[Loss]:
    """The loss of a process that has no example in the last batch: it takes part in batch norms and sums, and adds nothing."""
    zero = torch.zeros((), device=batch.target.device)
    yield Loss(model(*batch.inputs).float().sum(), 0, seen=dict.fromkeys(seen, zero))


def _gradients(optimizers: Optimizers, sums: Sums) -> Gradients:
    found = {name: parameter.grad for name, parameter in optimizers.parameters.items() if parameter.grad is not None}
    return Gradients(tuple(found), list(found.values()), sums.loss)


def _means(sums: Sums, gradients: Gradients, total: int) -> Gradients:
    """From sums over units divided by the number of examples to means over the units."""
    factor = total / (sums.units.clamp(min=1) if isinstance(sums.units, torch.Tensor) else sums.units)
    torch._foreach_mul_(gradients.tensors, factor)
    sums.loss = sums.loss * factor
    sums.seen = {name: value * factor for name, value in sums.seen.items()}
    return Gradients(gradients.names, gradients.tensors, sums.loss)


def _merged(rounds: list[Result]) -> Result:
    """A step of several losses as one: norms side by side, and their total."""
    taken = [each.taken for each in rounds]
    merged = Taken(
        losses={part: value for each in taken for part, value in each.losses.items()},
        seen={name: value for each in taken for name, value in each.seen.items()},
        examples=taken[0].examples,
        norms=torch.cat([each.norms for each in taken]),
        named=tuple(name for each in taken for name in each.named),
        norm=sum(each.norm**2 for each in taken) ** 0.5,
        clipped=sum(each.clipped**2 for each in taken) ** 0.5,
        skipped=any(each.skipped for each in taken),
    )
    votes = tuple(max(column) for column in zip(*(each.votes for each in rounds), strict=True))
    return Result(merged, votes, any(each.tripped for each in rounds))


def _no_room(step: int) -> LeadlineError:
    return LeadlineError(
        "LL032",
        f"out of memory at step {step} while the optimizer stepped: weights, gradients and optimizer state do not fit, whatever the batch",
        where="training",
        help="use a smaller model, or an optimizer that keeps less, such as  train.optimizer.name=sgd",
    )


def _stuck(step: int) -> LeadlineError:
    return LeadlineError(
        "LL032",
        f"out of memory at step {step}, and with batch norms over several processes a step cannot begin again",
        where="training",
        help="set a smaller  train.batch_size, or train.accumulate=2",
    )
