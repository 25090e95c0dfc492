"""From a model and batches to predictions and scores, without a trace in the model and with one wait for the device, at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from leadline.base.errors import LeadlineError
from leadline.evaluate.metric import metrics_for, number_or_none
from leadline.evaluate.predictions import Predictions, truth_of
from leadline.models.undisturbed import undisturbed
from leadline.record.batch import Batch
from leadline.tasks.task import Task


class _Listening(torch.nn.Module):
    """The model, remembering what it said last: so one pass gives both the task's loss and the outputs."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.said: torch.Tensor | None = None

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        said: torch.Tensor = self.model(*inputs)
        self.said = said
        return said


@dataclass(frozen=True)
class _Piece:
    """What one batch left on the device: outputs, targets, index, and (loss, units) scalars of the task."""

    outputs: torch.Tensor
    target: torch.Tensor
    index: torch.Tensor
    loss: torch.Tensor
    units: torch.Tensor
    written: dict[str, np.ndarray]


def predict_all(
    model: torch.nn.Module,
    task: Task,
    *,
    batches: Iterable[Batch],
    autocast: AbstractContextManager | None = None,
    write: bool = False,
) -> Predictions:
    """Predictions of `model` on all batches, in eval mode and without gradients; modes and random generators are put back after.

    autocast: the precision context to run under; None: as it is. write: let the task write out, too, what takes long (`Task.write`).
    A batch that does not fit in the device's memory is halved until it does, and the number of cuts is said in `halved`; LeadlineError
    LL032 when one example alone does not fit, LL002 without a batch.
    """
    listening = _Listening(model)
    pieces: list[_Piece] = []
    halved = 0
    with undisturbed(listening), autocast or nullcontext():
        for batch in batches:
            done, cuts = _look(listening, task, batch=batch, write=write)
            pieces += done
            halved += cuts
    if not pieces:
        raise LeadlineError("LL002", "there is no example to evaluate", help="give the split at least one example")
    return _gather(pieces, task, halved=halved)


def _look(listening: _Listening, task: Task, *, batch: Batch, write: bool) -> tuple[list[_Piece], int]:
    """One batch, in halves when it does not fit: the pieces, and how often a batch was cut."""
    try:
        return [_pass(listening, task, batch=batch, write=write)], 0
    except torch.OutOfMemoryError as error:
        if len(batch) == 1:
            raise LeadlineError(
                "LL032", "evaluation ran out of memory with one example at a time", help="use a smaller model or input"
            ) from error
    torch.cuda.empty_cache()
    parts = [_look(listening, task, batch=half, write=write) for half in batch.parts(2)]
    return [piece for pieces, _ in parts for piece in pieces], 1 + sum(cuts for _, cuts in parts)


def _pass(listening: _Listening, task: Task, *, batch: Batch, write: bool) -> _Piece:
    losses = list(task.losses(listening, batch))
    said = listening.said
    assert said is not None, "a task's losses call the model"
    units = torch.stack([torch.as_tensor(loss.units, dtype=torch.float64, device=said.device) for loss in losses]).sum()
    total = torch.stack([loss.value.detach().double() * loss.units for loss in losses]).sum() / units.clamp(min=1)
    written = task.write(listening.model, batch) if write else {}
    return _Piece(task.keep(said.detach().float(), batch), task.keep_target(batch), batch.index, total, units, written)


def _gather(pieces: Sequence[_Piece], task: Task, *, halved: int) -> Predictions:
    """Bring everything to the host at once: the only wait for the device, where nothing was written."""
    outputs = torch.cat([piece.outputs for piece in pieces]).cpu()
    target = torch.cat([piece.target for piece in pieces]).cpu()
    index = torch.cat([piece.index for piece in pieces]).cpu().numpy()
    means = torch.stack([piece.loss for piece in pieces]).cpu()
    units = torch.stack([piece.units for piece in pieces]).cpu()
    encoded = target.numpy()
    written = {kind: np.concatenate([piece.written[kind] for piece in pieces]) for kind in pieces[0].written}
    return Predictions(
        outputs={**task.predictions(outputs), **written},
        targets=encoded,
        truth=truth_of(encoded, task),
        index=index,
        losses=task.each_loss(outputs, target),
        loss=float((means * units).sum() / units.sum().clamp(min=1)),
        halved=halved,
    )


def scores(predictions: Predictions, task: Task, *, metrics: Sequence[str] | None = None) -> dict[str, float | None]:
    """{"loss": ..., and each metric by name}: plain numbers, None where a score is not defined (a class is absent, outputs not finite).

    metrics: names on the metrics shelf; None: the task's own.
    """
    chosen = metrics_for(task.metrics if metrics is None else metrics, predictions.outputs)
    found: dict[str, float | None] = {"loss": number_or_none(predictions.loss)}
    for name, metric in chosen.items():
        found[name] = predictions.score(metric) if predictions.is_finite else None
    return found
