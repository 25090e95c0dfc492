"""The learning rate as it was heard, and as the heard scheduler plans it: played on a dummy optimizer, far beyond the steps done."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.optim import lr_scheduler

from leadline.doctor.evidence import NotExamined, Scene

AHEAD = 10  # times the steps done that are played at most: a run ten times as long would show the rest
PLAYED = 20_000  # calls of the scheduler at most: half a second


@dataclass(frozen=True)
class Schedule:
    """heard: the largest rate of each step. ahead: rates of the coming scheduler calls. peak: the largest rate ever planned or used.

    per: how the scheduler was stepped. period: its own length in calls where it has one (T_max, total_steps, step_size). calls: how often
    it was stepped. epoch: batches of the loader, where known. initial: the rate that the optimizer was given.
    """

    kind: str
    heard: tuple[float, ...]
    ahead: tuple[float, ...]
    initial: float
    per: Literal["step", "epoch", "never"]
    period: int | None
    calls: int
    epoch: int | None

    @property
    def peak(self) -> float:
        """The largest rate that was used or will be, and the one that the optimizer was given."""
        return max((*self.heard, *self.ahead, self.initial))

    @property
    def collapsed_at(self) -> int | None:
        """The step from which on the rate was at most a hundredth of its peak; None where it is above now."""
        low = 0
        for rate in reversed(self.heard):
            if rate > 0.01 * self.peak:
                break
            low += 1
        return len(self.heard) - low if low else None

    @property
    def rises_again(self) -> bool:
        """Whether the coming calls bring the rate back to a tenth of its peak."""
        return any(rate > 0.1 * self.peak for rate in self.ahead)

    @property
    def answer(self) -> Literal["yes", "no"]:
        """Whether the rate stays a rate: finite, never negative, not gone before half of what was heard."""
        sound = all(math.isfinite(rate) and rate >= 0 for rate in (*self.heard, *self.ahead))
        gone = self.collapsed_at is not None and self.collapsed_at < len(self.heard) // 2 and not self.rises_again
        return "yes" if sound and not gone else "no"

    @property
    def in_words(self) -> str:
        """One line."""
        if self.kind == "constant":
            return f"no scheduler was stepped: the learning rate is {self.heard[-1]:.3g} throughout"
        far = f", {self.ahead[-1]:.3g} after {len(self.ahead)} more calls" if self.ahead else ""
        so_far = f"{self.heard[0]:.3g} at first, {max(self.heard):.3g} at most, {self.heard[-1]:.3g} now"
        return f"{self.kind}, stepped per {self.per}: {so_far}{far}"

    def to_dict(self) -> dict[str, Any]:
        """For the plot: at most 200 points of each curve."""
        return {"heard": _thinned(self.heard), "ahead": _thinned(self.ahead), "peak": self.peak, "kind": self.kind, "per": self.per}


def measure(scene: Scene) -> Schedule:
    """Raises NotExamined where the plan cannot be known."""
    heard = scene.heard
    rates = tuple(max(step.lrs) for step in heard.steps if step.lrs)
    if not rates:
        raise NotExamined("no optimizer step was heard")
    groups = [group for optimizer in heard.optimizers for group in optimizer.param_groups]
    given = [float(group["initial_lr"]) for group in groups if "initial_lr" in group]
    epoch = _epoch(scene)
    if not heard.schedulers:
        if given and scene.door == "check":
            raise NotExamined("a schedule belongs to this optimizer, and the trial's step did not step it")
        kind = "constant" if max(rates) == min(rates) else "set by hand"
        return Schedule(kind, rates, (), max((*given, rates[0])), "never", None, 0, epoch)
    key, scheduler = max(heard.schedulers.items(), key=lambda item: len(heard.schedule_calls.get(item[0], [])))
    calls = heard.schedule_calls.get(key, [])
    distinct = len(set(calls))
    per = "step" if distinct > max(0.8 * len(rates), 1) else "epoch"
    initial = max((*given, *(float(group.get("max_lr", 0.0)) for group in groups if "max_lr" in group), rates[0]))
    ahead = played(scheduler, min(PLAYED, AHEAD * max(len(calls), 10)))
    return Schedule(type(scheduler).__name__, rates, ahead, initial, per, _period(scheduler), len(calls), epoch)


def played(scheduler: Any, calls: int) -> tuple[float, ...]:
    """The largest rate of the groups after each of the coming calls; ends where the scheduler itself ends."""
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        return ()  # it follows the validation loss: nobody knows it beforehand
    dummy = _dummy(scheduler.optimizer)
    try:
        copied = copy.deepcopy(scheduler, {id(scheduler.optimizer): dummy})
    except Exception as error:
        raise NotExamined(f"the scheduler cannot be copied ({type(error).__name__}: {error})") from error
    rates: list[float] = []
    for _ in range(calls):
        try:
            type(copied).step(copied)
        except (ValueError, ZeroDivisionError, IndexError):  # OneCycleLR past its last step, a table that ends
            break
        rates.append(max(float(group["lr"]) for group in dummy.param_groups))
    return tuple(rates)


def _dummy(optimizer: Any) -> torch.optim.Optimizer:
    """An optimizer with the same groups and nothing to move."""
    groups = [{**{k: v for k, v in group.items() if k != "params"}, "params": [torch.zeros(1)]} for group in optimizer.param_groups]
    dummy = torch.optim.SGD(groups, lr=1.0)
    dummy._step_count = 1  # type: ignore[attr-defined]  # schedulers look whether the optimizer was stepped before them
    dummy._opt_called = True  # type: ignore[attr-defined]
    return dummy


def _period(scheduler: Any) -> int | None:
    for name in ("T_max", "total_steps", "total_iters", "step_size"):
        value = getattr(scheduler, name, None)
        if isinstance(value, (int, float)):
            return int(value)
    return None


def _epoch(scene: Scene) -> int | None:
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    try:
        return len(sample.loader) if sample is not None else None
    except TypeError:
        return None


def _thinned(values: tuple[float, ...]) -> list[float]:
    return [round(value, 12) for value in values[:: max(1, len(values) // 200)]]
