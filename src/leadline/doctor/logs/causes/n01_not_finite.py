"""N01: a NaN or an infinity stands in the log."""

from __future__ import annotations

import numpy as np

from leadline.doctor.logs.cause import LogCause
from leadline.doctor.logs.trace import Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Finding

LOOKED_AT = ("train/loss", "grad_norm", "val/loss")


class NotFinite(LogCause):
    """The first value that is no number, and which series showed it. A gradient norm can tell what a filtered loss hides."""

    code, cause, needs = "N01", "not_finite", ()

    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """Training that went on well after it is a warning; training that ended in it, an error."""
        bad = {name: series.steps[~np.isfinite(series.values)] for name in LOOKED_AT if (series := trace.get(name)) is not None}
        bad = {name: steps for name, steps in bad.items() if len(steps)}
        if not bad:
            return None
        name = min(bad, key=lambda each: bad[each][0])
        step, count = float(bad[name][0]), sum(len(steps) for steps in bad.values())
        filtered = name == "grad_norm" and "train/loss" not in bad
        hidden = " (the loss of the same steps looks sound: whoever wrote the log left NaN out of it)" if filtered else ""
        return self.found(
            f"{name} is not finite from step {step:.0f} on, {count} values in all{hidden}",
            control="train again under leadline.watch, which names the layer and the rows; lower the learning rate or clip until then",
            severity="error" if verdict.state == "diverged" or count > 1 else "warning",
            confidence="confirmed",
            step=step,
            evidence={"first": {each: float(steps[0]) for each, steps in bad.items()}, "values": count},
        )


CAUSE = NotFinite()
