"""E02: the validation loss turned and rises while the training loss goes on falling."""

from __future__ import annotations

import numpy as np

from leadline.doctor.logs.cause import LogCause
from leadline.doctor.logs.trace import Series, Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Finding

AFTER = 3  # validations since the best one: a turn is not a wobble
RISE = 0.05  # of the lowest validation loss
SIGMAS = 3.0


class Overfitting(LogCause):
    """Both slopes from the lowest validation loss on, each against its own noise."""

    code, cause, needs = "E02", "overfitting", ("train/loss", "val/loss")

    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """Validation up, training down, both beyond noise."""
        train, val = trace.series["train/loss"].finite, trace.series["val/loss"].finite
        if len(val) <= AFTER + 1:
            return None
        best = int(np.argmin(val.values))
        after = val.values[best + 1 :]
        if len(after) < AFTER:
            return None
        lowest, now = float(val.values[best]), float(np.mean(after[-AFTER:]))
        noise = float(np.median(np.abs(np.diff(val.values)))) / 0.954
        slope = float(np.polyfit(np.arange(len(after)), after, 1)[0])
        rising = slope > 0 and now - lowest > max(RISE * abs(lowest), SIGMAS * noise / np.sqrt(AFTER))
        then, last = _around(train, float(val.steps[best])), _around(train, float(val.steps[-1]))
        if not rising or not last < then - 0.05 * abs(then):
            return None
        step = float(val.steps[best])
        return self.found(
            f"validation loss is lowest at step {step:.0f} ({lowest:.4g}) and {now:.4g} at the end, "
            f"while training loss went on from {then:.4g} to {last:.4g}",
            control="keep the weights of the best validation, stop there, and regularise: more data, augmentation, weight decay, dropout",
            severity="warning",
            confidence="confirmed",
            step=step,
            evidence={"lowest": lowest, "now": now, "train_then": then, "train_now": last, "validations_since": len(after)},
        )


def _around(series: Series, step: float) -> float:
    """The mean of the twentieth of the series that lies nearest to a step."""
    count = max(1, len(series) // 20)
    nearest = np.argsort(np.abs(series.steps - step), kind="stable")[:count]
    return float(series.values[nearest].mean())


CAUSE = Overfitting()
