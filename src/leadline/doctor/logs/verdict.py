"""How a training went, read from its loss alone: converged and stuck told apart by how deep the loss fell, and by how it came to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leadline.doctor.logs.trace import Series, Trace

State = Literal["converged", "still learning", "plateau", "not learning", "diverged", "too short"]
FEWEST = 8  # points below which a curve has no shape
SIGMAS = 3.0
DEEP, SHALLOW = 0.35, 0.8  # of the loss at the start (or of a constant answer): below the one learning is plain, above the other it is not
FLAT = 0.03  # of the whole fall: what may be left in the last third of a curve that has come to rest
ABRUPT = 0.1  # of the run: a fall that is over by then, far from the floor, ran into something


@dataclass(frozen=True)
class Verdict:
    """state and why, in words. first, last, lowest: mean losses of the first and last tenth, and the lowest mean of a tenth."""

    state: State
    why: str
    first: float
    last: float
    lowest: float
    noise: float

    @property
    def learnt(self) -> bool:
        """Whether the loss came to something."""
        return self.state in ("converged", "still learning")


def verdict(trace: Trace) -> Verdict:
    """The verdict on the training loss; on the validation loss where the log has no other."""
    loss = trace.get("train/loss") or trace.get("val/loss")
    return judge(loss, trivial=trace.trivial if trace.get("train/loss") else None)


def judge(loss: Series | None, *, trivial: float | None = None) -> Verdict:
    """The verdict on one curve. trivial: the loss of the best constant answer, where it is known."""
    if loss is None or len(loss) < FEWEST:
        count = 0 if loss is None else len(loss)
        return Verdict("too short", f"{count} values of the loss say nothing about its shape", np.nan, np.nan, np.nan, np.nan)
    values = loss.finite.values
    if len(values) < len(loss) and not np.isfinite(loss.values[-max(3, len(loss) // 20) :]).any():
        return Verdict("diverged", "the loss ends in NaN or infinity", *_ends(values))
    first, last, lowest, noise = _ends(values)
    fall = first - last
    error = SIGMAS * noise * np.sqrt(2 / max(len(values) // 10, 1))
    moved = f"{first:.4g} -> {last:.4g}"
    if -fall > max(error, 0.2 * abs(first)) or (last > 2 * lowest + error and last > DEEP * first):
        return Verdict("diverged", f"the loss rose, {moved} with {lowest:.4g} on the way", first, last, lowest, noise)
    if fall <= max(error, 0.02 * abs(first)):
        return Verdict("not learning", f"the loss did not fall beyond its noise: {moved}, noise {noise:.2g}", first, last, lowest, noise)
    state, why = _shape(values, first=first, last=last, noise=noise, trivial=trivial)
    return Verdict(state, f"{why} ({moved})", first, last, lowest, noise)


def _shape(values: np.ndarray, *, first: float, last: float, noise: float, trivial: float | None) -> tuple[State, str]:
    """A curve that fell: is it at rest, and where?"""
    fall = first - last
    third = len(values) // 3
    late = values[-third:]
    slack = SIGMAS * noise * np.sqrt(4 / max(third, 1))
    coming = float(late[: third // 2].mean() - late[third // 2 :].mean())
    if coming > max(FLAT * fall, slack):
        return "still learning", f"the last third still brought {coming:.2g}"
    level = trivial if trivial is not None else first
    if first > 0 and last < DEEP * level:
        return "converged", "the loss came to rest far below where it began"
    if level > 0 and last > SHALLOW * level:
        beside = f"near the {trivial:.4g} of a constant answer" if trivial is not None else "not far below where it began"
        return "plateau", f"the loss came to rest {beside}"
    share = _time_of(values, first - 0.95 * fall) / len(values)
    if share < ABRUPT:
        return "plateau", f"the fall was over after {share:.0%} of the run, halfway down, and nothing came after it"
    return "converged", "the loss slowed down and came to rest, which is its floor or the network's"


def _time_of(values: np.ndarray, level: float) -> int:
    """When the smoothed curve first reached a level."""
    width = max(1, len(values) // 50)
    smooth = np.convolve(values, np.ones(width) / width, mode="valid")
    below = np.flatnonzero(smooth <= level)
    return int(below[0]) + width // 2 if len(below) else len(values)


def _ends(values: np.ndarray) -> tuple[float, float, float, float]:
    """Means of the first and last tenth, the lowest mean of a tenth, and the noise of one value."""
    if not len(values):
        return np.nan, np.nan, np.nan, np.nan
    tenth = max(1, len(values) // 10)
    means = np.convolve(values, np.ones(tenth) / tenth, mode="valid")
    noise = float(np.median(np.abs(np.diff(values)))) / 0.954 if len(values) > 2 else 0.0  # of a difference of two normal draws
    return float(values[:tenth].mean()), float(values[-tenth:].mean()), float(means.min()), noise
