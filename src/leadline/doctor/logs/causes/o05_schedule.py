"""O05: the learning rate was gone long before the run was."""

from __future__ import annotations

import numpy as np

from leadline.doctor.logs.cause import LogCause
from leadline.doctor.logs.trace import Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Finding

GONE, EARLY = 0.01, 0.5  # of the peak; of the run


class Schedule(LogCause):
    """The rate falls to a hundredth of its peak before half of the run, and stays there."""

    code, cause, needs = "O05", "schedule_wrong", ("lr",)

    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """Where the loss had learnt its fill by then it is a warning, else an error."""
        rates = trace.series["lr"].finite
        if len(rates) < 4 or not rates.values.max() > 0:
            return None
        peak = int(np.argmax(rates.values))
        small = rates.values <= GONE * rates.values[peak]
        gone = next((place for place in range(peak, len(rates)) if small[place:].all()), None)
        if gone is None:
            return None
        first, last = float(rates.steps[0]), float(rates.steps[-1])
        share = (float(rates.steps[gone]) - first) / max(last - first, 1.0)
        if share > EARLY:
            return None
        return self.found(
            f"the learning rate was at 1 % of its peak after {share:.0%} of the run and stayed there: the rest could teach nothing",
            control="step the scheduler once per epoch, or give it the number of steps it is really called; check its total and decay",
            severity="warning" if verdict.learnt else "error",
            confidence="confirmed",
            step=float(rates.steps[gone]),
            evidence={"peak": float(rates.values[peak]), "then": float(rates.values[gone]), "share_of_run": round(share, 3)},
        )


CAUSE = Schedule()
