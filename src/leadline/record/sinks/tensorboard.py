"""TensorBoard: scalars of every row in RUN/tensorboard, written in this thread so that a full disk is noticed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

from leadline.base.find import module
from leadline.record.files import storing
from leadline.record.sink import Sink

OURS = "[0-9][0-9][0-9][0-9]-events.out.tfevents.*"
NOT_SCALARS = {"step", "epoch", "split"}


class Tensorboard(Sink):
    """Curves for TensorBoard: `tensorboard --logdir runs` shows all runs side by side.

    Each number of a row becomes `SPLIT/NAME` (train/loss, val/accuracy, train/lr, train/grad_norms/LAYER, ...) at the row's step. NaN and
    infinities are shown as such. A resumed run writes a new event file, and the earlier ones, which may hold steps that were taken again,
    go when it is written.
    """

    def __init__(self, folder: Path, *, writer: Any, earlier: list[Path]) -> None:
        self._folder = folder
        self._writer = writer
        self._earlier = earlier
        self._event = module("tensorboardX.proto.event_pb2")
        self._summary = module("tensorboardX.proto.summary_pb2").Summary

    @classmethod
    def open(cls, folder: Path) -> Self:
        """A new event file in RUN/tensorboard; files are numbered, so that readers take them in order whatever the clock does."""
        place = folder / "tensorboard"
        with storing(place):
            place.mkdir(exist_ok=True)
            earlier = sorted(place.glob(OURS))
            number = 1 + int(earlier[-1].name[:4]) if earlier else 0
            writer = module("tensorboardX.event_file_writer").EventsWriter(str(place / f"{number:04d}-events"))
            return cls(place, writer=writer, earlier=earlier)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """One event for each row."""
        with storing(self._folder):
            if self._earlier:
                self._forget_all()
            for row in rows:
                values = [self._summary.Value(tag=tag, simple_value=number) for tag, number in _scalars(row)]
                self._writer.write_event(self._event.Event(step=row["step"], wall_time=time.time(), summary=self._summary(value=values)))
            self._writer.flush()
            while self._earlier:
                self._earlier.pop().unlink(missing_ok=True)

    def close(self) -> None:
        """Close the event file."""
        with storing(self._folder):
            self._writer.close()

    def _forget_all(self) -> None:
        """Have a reader that is looking on forget what the earlier files said."""
        log = self._event.SessionLog
        self._writer.write_event(self._event.Event(step=0, session_log=log(status=log.START)))


def _scalars(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    numbers = {name: value for name, value in row.items() if name not in NOT_SCALARS}
    return _tagged(numbers, row.get("split", "train"))


def _tagged(numbers: dict[str, Any], tag: str) -> Iterator[tuple[str, float]]:
    for name, value in numbers.items():
        if isinstance(value, dict):
            yield from _tagged(cast("dict[str, Any]", value), f"{tag}/{name}")
        elif isinstance(value, int | float):
            yield f"{tag}/{name}", float(value)
