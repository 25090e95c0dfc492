"""A loss or gradient that is NaN or infinite: where it begins and which examples bring it, found by doing the step again under watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from leadline.base.errors import LeadlineError
from leadline.record.batch import Batch
from leadline.tasks.task import Task
from leadline.training.precision import Precision

IN_A_ROW = 3  # as many bad steps may follow each other under on_nonfinite=skip; more is not bad luck
NAMED = 8  # examples named in an error

Place = tuple[str, list[int]]
"""The first bad place in words, and the examples that bring it."""


@dataclass(frozen=True)
class Trip:
    """What went wrong at one step. where: the first bad place, in words; samples: numbers of the examples that bring it, where known."""

    step: int
    loss: float
    where: str
    samples: tuple[int, ...]

    def error(self, name_of: Callable[[int], str] = str) -> LeadlineError:
        """LL031, which stops the run. name_of: how a person finds an example by its number."""
        named = ", ".join(name_of(sample) for sample in self.samples[:NAMED])
        more = f" and {len(self.samples) - NAMED} more" if len(self.samples) > NAMED else ""
        return LeadlineError(
            "LL031",
            f"loss or gradient is not finite at step {self.step} (loss {self.loss:g}); it was not made, the weights are the last good ones",
            where=f"{self.where}; example {named}{more}",
            help="lower the learning rate, set train.clip_norm, or look at the example; train.on_nonfinite=skip leaves such batches out",
        )

    def row(self) -> dict[str, Any]:
        """Plain JSON for the run's record."""
        samples = list(self.samples[:NAMED])
        return {"kind": "nonfinite", "step": self.step, "loss": f"{self.loss:g}", "where": self.where, "samples": samples}


def examine(model: nn.Module, task: Task, batch: Batch, *, step: int, loss: float, precision: Precision, replay: bool = True) -> Trip:
    """Do forward and backward of `batch` again and name the first bad place: input, weight, layer, or parameter whose gradient is bad.

    model: not compiled. Its gradients are forgotten; buffers and generators are put back. replay: False looks at inputs and weights only
    (where processes share batch norms, one alone cannot run the model).
    """
    if not replay:
        unknown = ("which layer is not known: processes that share batch norms cannot try alone", batch.index.tolist())
        where, samples = _in_inputs(batch) or _in_weights(model, batch) or unknown
        return Trip(step, loss, where, tuple(samples))
    again = _Again(model, task, precision)
    with _buffers_and_generators_kept(model, batch.target.device):
        where, samples = _in_inputs(batch) or _in_weights(model, batch) or again.forward(batch) or again.backward(batch) or _nowhere(batch)
    return Trip(step, loss, where, tuple(samples))


class _Again:
    """A step done once more, without the optimizer."""

    def __init__(self, model: nn.Module, task: Task, precision: Precision) -> None:
        self.model, self.task, self.precision = model, task, precision

    def forward(self, batch: Batch) -> Place | None:
        """The first module, in the order of computing, whose output is not finite; else the loss itself."""
        found: list[Place] = []

        def hook(name: str) -> Callable[..., None]:
            def look(_module: nn.Module, _inputs: Any, output: Any) -> None:
                for tensor in _tensors(output):
                    if not found and not bool(tensor.isfinite().all()):
                        found.append((f"the output of layer '{name}' is the first that is not finite", _rows(tensor, batch)))

            return look

        handles = [module.register_forward_hook(hook(name or "model")) for name, module in self.model.named_modules()]
        try:
            finite = all(bool(value.isfinite().all()) for value in self._values(batch, backward=False))
        finally:
            for handle in handles:
                handle.remove()
        if found:
            where, samples = found[0]
            return where, samples or self._narrowed(batch)
        return None if finite else ("the loss is not finite though every layer's output is", self._narrowed(batch))

    def backward(self, batch: Batch) -> Place | None:
        """The deepest parameter whose gradient is not finite: where the backward pass met it first."""
        for _ in self._values(batch, backward=True):
            pass
        grads = {name: parameter.grad for name, parameter in self.model.named_parameters() if parameter.grad is not None}
        bad = [name for name, grad in grads.items() if not _finite(grad)]
        overflows = not bad and bool(grads) and not _finite(nn.utils.get_total_norm(grads.values()))
        self._forget()
        if overflows:
            where = "each gradient is finite, but their total norm is beyond float32: a learning rate far too high does that"
            return where, batch.index.tolist()
        if not bad:
            return None
        return f"the gradient of '{bad[-1]}' is not finite ({len(bad)} tensors are not)", self._narrowed(batch)

    def _narrowed(self, batch: Batch) -> list[int]:
        """The batch halved as long as one half alone is bad as well; the examples that are left."""
        while len(batch) > 1:
            bad = next((half for half in batch.parts(2) if self._is_bad(half)), None)
            if bad is None:
                break
            batch = bad
        return batch.index.tolist()

    def _is_bad(self, batch: Batch) -> bool:
        try:
            bad = sum(not _finite(value) for value in self._values(batch, backward=True)) > 0  # all of them: gradients are looked at too
        except ValueError:  # batch norm cannot train on a single example
            return False
        bad = bad or any(parameter.grad is not None and not _finite(parameter.grad) for parameter in self.model.parameters())
        self._forget()
        return bad

    def _values(self, batch: Batch, *, backward: bool) -> Iterator[torch.Tensor]:
        losses = self.task.losses(self.model, self.precision.arrange(batch))
        while True:
            with self.precision.autocast(batch.target.device):
                loss = next(losses, None)
            if loss is None:
                return
            if backward:
                loss.value.backward()
            yield loss.value.detach()

    def _forget(self) -> None:
        for parameter in self.model.parameters():
            parameter.grad = None


def _in_inputs(batch: Batch) -> Place | None:
    for number, tensor in enumerate((*batch.inputs, batch.target)):
        if tensor.is_floating_point() and not _finite(tensor):
            place = "the target" if number == len(batch.inputs) else f"input {number}"
            return f"{place} of the batch is not finite", _rows(tensor, batch)
    return None


def _in_weights(model: nn.Module, batch: Batch) -> Place | None:
    for name, tensor in model.named_parameters():  # not the buffers: the bad forward pass has reached running statistics already
        if not _finite(tensor):
            return f"'{name}' of the model itself is not finite", batch.index.tolist()
    return None


def _nowhere(batch: Batch) -> Place:
    return "the same batch was finite when done again (dropout or another random part drew otherwise)", batch.index.tolist()


def _rows(tensor: torch.Tensor, batch: Batch) -> list[int]:
    """The examples whose rows are bad; none when the first axis is not the batch, or all are (then they may have infected each other)."""
    if tensor.ndim == 0 or len(tensor) != len(batch):
        return []
    bad = ~tensor.detach().reshape(len(batch), -1).isfinite().all(1)
    return [] if bool(bad.all()) and len(batch) > 1 else batch.index[bad.to(batch.index.device)].tolist()


def _finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.isfinite().all())


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)
    elif isinstance(output, dict):
        for item in output.values():
            yield from _tensors(item)


@contextmanager
def _buffers_and_generators_kept(model: nn.Module, device: torch.device) -> Iterator[None]:
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for buffer, before in kept:
                buffer.copy_(before)
