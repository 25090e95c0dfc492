"""What can go wrong in a step and how the run answers: numbers that are not finite, memory that does not suffice. All of it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from leadline.base.errors import LeadlineError
from leadline.record.batch import Batch
from leadline.tasks.task import Task
from leadline.training import nonfinite
from leadline.training.feed import Feed
from leadline.training.meter import Meter
from leadline.training.precision import Precision
from leadline.training.state import Place
from leadline.training.step import Result
from leadline.training.update import Updater
from leadline.training.watchers import Watchers


class Buffers:
    """A model's buffers as they were before a step: a batch that is left out must not stay in the running statistics either."""

    def __init__(self, model: nn.Module) -> None:
        self.buffers = list(model.buffers())
        self.copies: list[torch.Tensor] = []

    def note(self) -> None:
        """Remember them."""
        self.copies = [buffer.clone() for buffer in self.buffers]

    @torch.no_grad()
    def put_back(self) -> None:
        """As they were at the last `note`."""
        for buffer, copy in zip(self.buffers, self.copies, strict=True):
            buffer.copy_(copy)


@dataclass(frozen=True)
class Accidents:
    """Looks after a run's steps. model: not compiled. replay: whether a bad step may be done again (`nonfinite.examine`)."""

    model: nn.Module
    task: Task
    batches: Feed
    precision: Precision
    place: Place
    watchers: Watchers
    meter: Meter
    updater: Updater
    buffers: Buffers | None
    replay: bool

    def before_step(self) -> None:
        """Call it before each step."""
        if self.buffers is not None:
            self.buffers.note()

    def after_step(self, batch: Batch, result: Result, *, parts: int) -> None:
        """Look at what the step met. Raises LeadlineError LL031 when it stops the run."""
        if parts != self.place.parts:
            self.tell({"kind": "out_of_memory", "step": self.place.step, "parts_before": self.place.parts, "parts": parts})
            self.place.parts = parts
        if result.tripped:
            self._tripped(batch)
        elif not result.taken.skipped:
            self.place.bad = 0

    def flush(self) -> None:
        """Write the pending rows; where the device decides, the host hears here of a bad step. Raises LeadlineError LL031."""
        step = self.updater.tripped_at(self.place.step)
        rows = self.meter.flush(until=step)
        if step is None:
            return
        position = self.place.position - (self.place.step - step) - 1  # a bad step is always of the present epoch: its end flushes
        batch = next(iter(self.batches.epoch(self.place.epoch, position)))
        loss = next((row["loss"] for row in rows if row["step"] == step), float("nan"))
        raise self._stopping(self._examined(batch, step=step, loss=loss))

    def tell(self, event: dict[str, Any]) -> None:
        """Record an event and pass it on."""
        self.place.events.append(event)
        if self.watchers.on_event is not None:
            self.watchers.on_event(event)

    def _tripped(self, batch: Batch) -> None:
        """A step that the host left out: stop, or note it and go on while it happens seldom."""
        rows = self.meter.flush()
        trip = self._examined(batch, step=self.place.step, loss=rows[-1]["loss"])
        self.place.bad += 1
        if self.buffers is None or self.place.bad > nonfinite.IN_A_ROW:
            raise self._stopping(trip)
        self.buffers.put_back()
        self.tell({**trip.row(), "in_a_row": self.place.bad})

    def _stopping(self, trip: nonfinite.Trip) -> LeadlineError:
        """The error that ends the run, its facts told first."""
        self.tell({**trip.row(), "stops": True})
        return trip.error(self.watchers.name_of)

    def _examined(self, batch: Batch, *, step: int, loss: float) -> nonfinite.Trip:
        return nonfinite.examine(self.model, self.task, batch, step=step, loss=loss, precision=self.precision, replay=self.replay)
