"""When a run's state is saved, and which weights it ends with."""

from __future__ import annotations

import time

from leadline.base.errors import LeadlineError
from leadline.training.checkpoint import Checkpoints
from leadline.training.meter import Journal
from leadline.training.state import Moving, Place, put_best


class Keeper:
    """Saves the state and counts the seconds. checkpoints: None saves nothing."""

    def __init__(self, moving: Moving, place: Place, *, journal: Journal, checkpoints: Checkpoints | None, every_s: float) -> None:
        self.moving, self.place, self.journal, self.checkpoints, self.every_s = moving, place, journal, checkpoints, every_s
        self.saved_at = self.counted_at = time.perf_counter()

    @property
    def is_due(self) -> bool:
        """Whether the last save is long ago."""
        return time.perf_counter() - self.saved_at >= self.every_s

    def save(self, *, best: bool = False) -> None:
        """Write the state as it is now; rows that belong to it must be written before. All processes call it together; the first writes.

        Raises LeadlineError LL008 when the disk is full; the state saved before is intact.
        """
        self.count_seconds()
        if self.checkpoints is not None:
            self._save(self.checkpoints, best=best)
        self.saved_at = time.perf_counter()

    def _save(self, checkpoints: Checkpoints, *, best: bool) -> None:
        world, saved = self.moving.world, 0.0
        tensors, state = self.moving.gather(self.place, journal=self.journal.offset())
        try:
            if world.is_main:
                checkpoints.save(self.place.step, tensors, state, best=best)
            saved = 1.0
        finally:  # nobody goes on, or ends, before it stands
            (saved,) = world.told([saved])
        if not saved:
            raise LeadlineError("LL008", "the first process could not save the state; its own words say why")

    def count_seconds(self) -> float:
        """Seconds of training so far, over all starts of the run."""
        now = time.perf_counter()
        self.place.seconds += now - self.counted_at
        self.counted_at = now
        return self.place.seconds

    def put_best(self) -> None:
        """Give the model the weights of the best checkpoint; without one the averaged weights, and without an average the last."""
        found = None
        if self.checkpoints is not None and self.moving.progress.best is not None and self.moving.world.is_main:
            found = self.checkpoints.best()
        if found is not None:
            put_best(self.moving.model, found.tensors)
        elif self.moving.average is not None:
            self.moving.average.give()
        self.moving.world.share(self.moving.model)
