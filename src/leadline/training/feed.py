"""What the loop asks of training batches; `data.batches` gives it, and so may any other object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from leadline.record.batch import Batch


class Feed(Protocol):
    """Training batches on the model's device."""

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 0) from number `start` on: the same ones at every call, whatever was drawn before."""
        ...
