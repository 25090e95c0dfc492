"""The sink contract: another place that shows a run's rows while it trains. Fed from metrics.jsonl, never from inside the loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

from leadline.base.find import find
from leadline.record.journal import Journal


class Sink(ABC):
    """A place for rows; one file of `record/sinks/`, its docstring is its handbook page. Heavy imports stand inside `open`."""

    @classmethod
    @abstractmethod
    def open(cls, folder: Path) -> Self:
        """Begin. folder: the run's. The rows come from the first one on, also after a resume: they replace what an earlier process sent."""

    @abstractmethod
    def write(self, rows: list[dict[str, Any]]) -> None:
        """Send rows of metrics.jsonl; when it returns they are visible."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes."""


class Feed:
    """Sends a run's new rows to one sink: call `send` at epoch ends and `close` at the end. Costs one read of the new lines.

    A resumed run makes a new Feed after the journal was cut back. It sends the run's rows again from the first: what an earlier process
    sent beyond the checkpoint cannot be told apart from what was taken again.
    """

    def __init__(self, folder: Path, sink: str) -> None:
        """folder: the run's. sink: a file of record/sinks; InputError LL023 for an unknown one, LL024 when its package is missing."""
        self._journal = Journal(folder / "metrics.jsonl")
        self._sink: Sink = find("record.sinks", sink).open(folder)
        self._offset = 0

    def send(self) -> int:
        """Send the rows written since last time; gives how many."""
        new = list(self._journal.since(self._offset))
        if new:
            self._sink.write([row for row, _ in new])
            self._offset = new[-1][1]
        return len(new)

    def close(self) -> None:
        """Send what is left and close the sink."""
        self.send()
        self._sink.close()
