"""What a baseline turned out to be worth, as a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from leadline.evaluate.predictions import Predictions


@dataclass(frozen=True)
class Baseline:
    """One baseline's scores on the test examples, its predictions there, and what to know about it.

    examined: False when it was not run; `notes` then says why and there are no scores.
    """

    examined: bool
    scores: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    predictions: Predictions | None = None

    def to_dict(self) -> dict[str, Any]:
        """As scores.json has it: plain numbers, "seconds" and "notes"; "not_examined" with the reason when it was not run."""
        if not self.examined:
            return {"not_examined": "; ".join(self.notes)}
        return {**self.scores, "seconds": round(self.seconds, 2), "notes": list(self.notes)}
