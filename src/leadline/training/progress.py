"""What the validation scores decide: which step was best, and when nothing gets better any more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from leadline.training.settings import EarlyStopSpec


@dataclass(frozen=True)
class Verdict:
    """What one validation said. is_best: the best so far; over: the run should stop."""

    is_best: bool
    over: bool


class Progress:
    """The best score so far and how long it has stood."""

    def __init__(self, *, direction: str, early_stop: EarlyStopSpec | None) -> None:
        self.sign = 1.0 if direction == "max" else -1.0
        self.early_stop = early_stop
        self.best: float | None = None
        self.best_step = 0
        self.waited = 0
        self._mark: float | None = None  # the score that patience counts from: better by min_delta than the mark before

    def see(self, score: float, *, step: int) -> Verdict:
        """Take in the validation score after `step`. A score that is not a number is never the best."""
        is_best = self._is_better(score, self.best, least=0.0)
        if is_best:
            self.best, self.best_step = score, step
        if self._is_better(score, self._mark, least=self.early_stop.min_delta if self.early_stop else 0.0):
            self._mark, self.waited = score, 0
        else:
            self.waited += 1
        return Verdict(is_best=is_best, over=self.early_stop is not None and self.waited >= self.early_stop.patience)

    def state(self) -> dict[str, Any]:
        """Plain JSON, read back by `load`."""
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited, "mark": self._mark}

    def load(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.best, self.best_step, self.waited, self._mark = state["best"], state["best_step"], state["waited"], state["mark"]

    def _is_better(self, score: float, than: float | None, *, least: float) -> bool:
        if not math.isfinite(score):
            return False
        return than is None or self.sign * (score - than) > least
