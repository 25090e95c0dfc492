"""heal.json: every course of a run that was healed, what was changed after it and why, and its loss before and after."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from leadline.record.run import Run

POINTS = 400  # of a curve that is kept
Curve = dict[str, list[float | None]]


class Courses:
    """rounds: one for each cure, as heal.json has them. given_up: whether something was found after the last cure that was allowed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        known: dict[str, Any] = run.read("heal.json") if run.path("heal.json").exists() else {"rounds": [], "given_up": False}
        self.rounds: list[dict[str, Any]] = known["rounds"]
        self.given_up: bool = known["given_up"]

    def add(self, **fields: Any) -> None:
        """A course is given up: keep its curve, and what is changed now."""
        self.rounds.append({**fields, "before": self._curve(), "after": None, "helped": None})
        self.write()

    def close(self, tell: Callable[[str], None]) -> None:
        """The last course stands: write what each cure brought."""
        curves = [*(each["before"] for each in self.rounds[1:]), self._curve()]
        for each, after in zip(self.rounds, curves, strict=False):
            before, now = _end(each["before"]), _end(after)
            each["after"], each["helped"] = after, None if now is None else before is None or now < before
            if before is not None and now is not None:
                tell(f"heal: {each['finding']['code']}: the loss ends at {now:.4g} instead of {before:.4g}")
        if self.rounds:
            self.write()

    def rows(self) -> list[dict[str, Any]]:
        """The training rows of the present course."""
        return [row for row in self.run.journal.read() if row["split"] == "train"] if self.run.path("metrics.jsonl").exists() else []

    def write(self) -> None:
        """heal.json as it stands."""
        self.run.write("heal.json", {"schema": 1, "rounds": self.rounds, "given_up": self.given_up})

    def _curve(self) -> Curve:
        rows = self.rows()
        rows = rows[:: max(1, len(rows) // POINTS)]
        return {"step": [row["step"] for row in rows], "loss": [row["loss"] if abs(row["loss"]) < float("inf") else None for row in rows]}


def _end(curve: dict[str, list[float | None]]) -> float | None:
    last = [loss for loss in curve["loss"][-max(1, len(curve["loss"]) // 20) :] if loss is not None]
    return statistics.fmean(last) if last else None
