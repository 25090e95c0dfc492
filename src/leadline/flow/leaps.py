"""The journal of a healed run: it writes the rows, and notices a loss that leapt far up and did not come back."""

from __future__ import annotations

import statistics
from typing import Any

from leadline.flow.heal import LEARNT, Healer
from leadline.record.finding import Finding
from leadline.record.run import Run

FIRST = 5  # losses that say where it began
SEEN = 200  # losses that say what is usual
FEWEST, STAYS = 30, 5  # losses before a leap, and after it
TIMES, RISE = 10.0, 0.5  # median deviations, and share of the usual loss, that make a leap


class Heedful:
    """The journal of a healed run: writes the rows, and tells of a loss that leapt and did not come back."""

    def __init__(self, run: Run, healer: Healer) -> None:
        self.run, self.healer = run, healer
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._first: list[float] = []

    def write(self, rows: Any) -> None:
        """To the journal; and look."""
        kept = list(rows)
        self.run.journal.write(kept)
        for row in kept:
            if row["split"] == "train" and abs(row["loss"]) < float("inf"):
                self._first += [row["loss"]] if len(self._first) < FIRST else []
                self._steps.append(row["step"])
                self._losses.append(row["loss"])
        del self._steps[:-SEEN], self._losses[:-SEEN]
        place = leap(self._losses)
        if place is not None and statistics.median(self._losses[:place]) < LEARNT * statistics.fmean(self._first):
            self._tell(self._steps[place], place)  # a run that never learnt has another fault, which the doctor will name

    def offset(self) -> int:
        """Of the journal."""
        return self.run.journal.offset()

    def cut(self, offset: int) -> None:
        """Of the journal."""
        self.run.journal.cut(offset)

    def _tell(self, step: int, place: int) -> None:
        usual = statistics.median(self._losses[:place])
        finding = Finding.from_dict(
            {
                "code": "M02",
                "cause": "exploding_gradients",
                "severity": "warning",
                "confidence": "suspected",
                "explanation": f"the loss leapt from {usual:.4g} to {self._losses[place]:.4g} at step {step} and did not come back",
                "control": {"text": "go back, leave the batch out, and clip gradients", "set": {"train.clip_norm": 1.0}},
                "step": step,
            }
        )
        self._steps, self._losses = [], []
        self.healer.skip(finding, steps=(max(1, step - 1), step))  # the update before made the leap, with that batch


def leap(losses: list[float]) -> int | None:
    """The place of a loss that leapt far above all before it and of which the next five stayed up; None without one."""
    for place in range(FEWEST, len(losses) - STAYS):
        usual = statistics.median(losses[:place])
        spread = statistics.median(abs(loss - usual) for loss in losses[:place])
        bar = usual + max(TIMES * spread, RISE * abs(usual))
        if losses[place] > bar and statistics.median(losses[place : place + STAYS]) > bar:
            return place
    return None
