"""O02: the loss creeps down in a straight line, and is nearly where it began when the run ends."""

from __future__ import annotations

import numpy as np

from leadline.doctor.logs.cause import LogCause
from leadline.doctor.logs.trace import Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Finding

CREPT = 0.15  # of the loss at the start: a run that fell further was under way
STRAIGHT = 0.9  # correlation with a straight line
TINY = 1e-6  # a rate below which hardly any optimizer moves anything


class RateTooLow(LogCause):
    """A steady, straight, small fall that has not slowed down; or a rate that is next to nothing."""

    code, cause = "O02", "lr_too_low"

    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """Suspected only."""
        loss, rates = trace.series["train/loss"].finite, trace.get("lr")
        if len(loss) < 8 or verdict.state not in ("still learning", "not learning", "plateau"):
            return None
        rate = None if rates is None else float(np.nanmax(rates.values))
        width = max(1, len(loss) // 20)
        smooth = np.convolve(loss.values, np.ones(width) / width, mode="valid")
        straight = -float(np.corrcoef(np.arange(len(smooth)), smooth)[0, 1]) if smooth.std() > 0 else 0.0
        crept = 0 < verdict.first - verdict.last < CREPT * abs(verdict.first) and straight > STRAIGHT
        if not crept and not (rate is not None and rate < TINY and not verdict.learnt):
            return None
        said = f"the loss crept down in a straight line, {verdict.first:.4g} -> {verdict.last:.4g}" if crept else verdict.why
        return self.found(
            f"{said}{f', with a learning rate of {rate:g} at most' if rate is not None else ''}: the rate may be far too low",
            control="train again with ten times the rate; leadline.watch would try it on a copy and say whether it helps",
            severity="warning",
            evidence={"first": verdict.first, "last": verdict.last, "straightness": round(straight, 3), "lr": rate},
        )


CAUSE = RateTooLow()
