"""O01: the loss rose. A rate far too high is the commonest reason, and a log cannot prove it."""

from __future__ import annotations

import numpy as np

from leadline.doctor.logs.cause import LogCause
from leadline.doctor.logs.trace import Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Finding


class RateTooHigh(LogCause):
    """A loss that diverged, or that leapt above its start in the first steps and never came back."""

    code, cause = "O01", "lr_too_high"

    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """Suspected only: what helped nobody tried."""
        values = trace.series["train/loss"].finite.values
        leapt = len(values) >= 8 and float(values[1 : max(2, len(values) // 4)].max(initial=-np.inf)) > 3 * abs(float(values[0])) > 0
        if verdict.state != "diverged" and not (verdict.state == "not learning" and leapt):
            return None
        rates = trace.get("lr")
        rate = None if rates is None else float(np.nanmax(rates.values))
        return self.found(
            f"{verdict.why}: a learning rate too high{f' ({rate:g} at its peak)' if rate else ''} does that more often than anything else",
            control="train again with a tenth of the rate; leadline.watch would try it on a copy and say whether it helps",
            severity="error",
            step=float(trace.series["train/loss"].finite.steps[int(np.argmin(values))]) if len(values) else None,
            evidence={"first": verdict.first, "lowest": verdict.lowest, "last": verdict.last, "lr": rate},
        )


CAUSE = RateTooHigh()
