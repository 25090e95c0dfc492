"""M02: the loss jumps out of its own course, again and again or for good."""

from __future__ import annotations

import numpy as np

from leadline.doctor.logs.cause import LogCause
from leadline.doctor.logs.trace import Series, Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Finding

WINDOW = 25  # points before a spike that say what is usual
FEWEST = 12
TIMES = 10.0  # median deviations: noise of a batch does not reach so far
RISE = 0.5  # of the usual loss: below that nobody would call it a spike
OFTEN = 3


class Spikes(LogCause):
    """Points far above the median of those before them; with the gradient norm at the same steps, where the log has it."""

    code, cause = "M02", "exploding_gradients"

    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """One spike that heals is a note; three, or one that never heals, a warning."""
        loss = trace.series["train/loss"].finite
        found = spikes(loss)
        if not len(found) or verdict.state == "too short":
            return None
        steps = [float(loss.steps[place]) for place in found]
        jump = _jump(trace.get("grad_norm"), steps)
        beside = f"; the gradient norm was {jump:.0f} times the usual there" if jump is not None and jump > 3 else ""
        usual, last = np.median(loss.values[max(0, found[0] - WINDOW) : found[0]]), np.median(loss.values[-max(3, len(loss) // 20) :])
        healed = bool(last < 1.2 * usual)
        return self.found(
            f"the loss jumps out of its course {len(found)} time{'s' * (len(found) > 1)}, first at step {steps[0]:.0f}{beside}",
            control="clip gradients at norm 1, lengthen the warm-up, or lower the learning rate; or rewind and leave the batch out",
            severity="warning" if len(found) >= OFTEN or not healed else "note",
            confidence="confirmed" if jump is not None and jump > 3 else "suspected",
            step=steps[0],
            evidence={"steps": steps[:20], "recovered": healed, "gradient_norm_times_usual": jump},
        )


def spikes(loss: Series) -> list[int]:
    """Places of the first point of each spike."""
    values, found, until = loss.values, [], -1
    for place in range(FEWEST, len(values)):
        before = values[max(0, place - WINDOW) : place]
        usual = float(np.median(before))
        spread = max(float(np.median(np.abs(before - usual))), 1e-3 * abs(usual))
        if values[place] > usual + max(TIMES * spread, RISE * abs(usual)):
            found += [place] if place > until else []
            until = place + 3  # a spike's own tail is no further spike
    return found


def _jump(norms: Series | None, steps: list[float]) -> float | None:
    """How many times the usual gradient norm the largest one at a spike was."""
    if norms is None:
        return None
    usual = float(np.median(norms.finite.values)) if len(norms.finite) else 0.0
    near = [float(norms.finite.values[abs(norms.finite.steps - step) <= 1].max(initial=0.0)) for step in steps]
    return max(near) / usual if near and usual > 0 else None


CAUSE = Spikes()
