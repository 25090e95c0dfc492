"""The learning rate of every step, drawn before the first one: pure functions of the settings and the number of steps."""

from __future__ import annotations

import math

import numpy as np

from leadline.base.errors import InputError
from leadline.training.settings import ScheduleSpec

ONE_CYCLE_START = 1 / 25  # share of the peak from which one-cycle rises; the value of fastai and of torch's OneCycleLR


def plan(settings: ScheduleSpec, *, steps: int, steps_per_epoch: int, peak: float) -> np.ndarray:
    """(steps,) float64 learning rates, one for each optimizer step; element 0 is the first step's.

    plateau is planned as the constant that it is until a validation score says otherwise (see `Plateau`).
    Raises InputError LL022 when the warm-up is longer than the run.
    """
    rise = warmup_steps(settings, steps)
    done = np.arange(steps - rise, dtype=np.float64) / (steps - rise)  # share of the rest that lies behind each step: 0 at first
    shares = np.concatenate([_rise(settings.name, rise), _fall(settings, done, first=rise, steps=steps, steps_per_epoch=steps_per_epoch)])
    return shares * peak


def warmup_steps(settings: ScheduleSpec, steps: int) -> int:
    """How many steps the rate rises: a share of all steps when below 1, a number of steps otherwise."""
    assert settings.warmup != "auto", "resolved before training"
    rise = round(settings.warmup * steps) if settings.warmup < 1 else int(settings.warmup)
    if rise >= steps and settings.warmup >= 1:
        raise InputError(
            "LL022",
            f"train.schedule.warmup = {settings.warmup:g}: the warm-up is as long as the whole run of {steps} steps",
            where="recipe, train.schedule",
            help="name fewer steps, or a share of all steps below 1, such as  train.schedule.warmup=0.05",
        )
    return min(rise, steps - 1)


def _rise(name: str, rise: int) -> np.ndarray:
    """Shares of the peak in the warm-up; the step after it stands at the peak."""
    done = np.arange(1, rise + 1, dtype=np.float64) / (rise + 1)
    if name == "one_cycle":
        return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * (1 - np.cos(math.pi * done)) / 2
    return done


def _fall(settings: ScheduleSpec, done: np.ndarray, *, first: int, steps: int, steps_per_epoch: int) -> np.ndarray:
    """Shares of the peak from step `first` on; done: share of these steps that lies behind."""
    floor = settings.floor
    if settings.name in ("cosine", "one_cycle"):
        return floor + (1 - floor) * (1 + np.cos(math.pi * done)) / 2
    if settings.name == "step":
        epochs = np.arange(first, steps) // steps_per_epoch
        return settings.gamma ** (epochs // settings.every)
    if settings.name == "wsd":
        # 1 - sqrt: the best decay in Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations".
        length = max(1, round(settings.decay * steps))
        decayed = np.clip((np.arange(first, steps) - (steps - length)) / length, 0, 1)
        return floor + (1 - floor) * (1 - np.sqrt(decayed))
    if settings.name in ("constant", "plateau"):
        return np.ones_like(done)
    raise AssertionError(f"schedule '{settings.name}' was not resolved before training")


class Plateau:
    """The factor on the planned rate under schedule "plateau": it drops when the validation score has not got better for a while."""

    def __init__(self, settings: ScheduleSpec, *, direction: str) -> None:
        self.settings = settings
        self.sign = 1.0 if direction == "max" else -1.0
        self.factor = 1.0
        self.best: float | None = None
        self.waited = 0

    def see(self, score: float) -> bool:
        """Take in one validation score; True when the rate drops because of it. A score that is not a number is never better."""
        if self.settings.name != "plateau":
            return False
        if math.isfinite(score) and (self.best is None or self.sign * score > self.sign * self.best):
            self.best, self.waited = score, 0
            return False
        self.waited += 1
        if self.waited <= self.settings.patience:
            return False
        self.factor, self.waited = self.factor * self.settings.gamma, 0
        return True

    def state(self) -> dict[str, float | int | None]:
        """Plain JSON, read back by `load`."""
        return {"factor": self.factor, "best": self.best, "waited": self.waited}

    def load(self, state: dict[str, float | int | None]) -> None:
        """Go on where `state` was taken."""
        self.factor, self.best, self.waited = float(state["factor"] or 0), state["best"], int(state["waited"] or 0)
