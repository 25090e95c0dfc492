"""The counterfactual engine: what happens to a copy in the next few steps, as it is and with a control, on the batches that were heard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.moment import Moment
from leadline.doctor.tape import Entry, NotReplayable
from leadline.doctor.twin import Twin, is_lazy

COPIED_MB = 1024  # network and optimizer state up to here are copied
STEPS = 20  # of a replay: enough for a control to show, few enough to be cheap
SECONDS = 4.0  # of one replay at most

Change = Callable[[Entry, Any, Any], tuple[Any, Any]]
Control = Callable[[Twin], None]


@dataclass(frozen=True)
class Curve:
    """Losses of a replay: `before` and `after` are means over the same recorded batches, `losses` what each step saw."""

    before: float
    after: float
    losses: tuple[float, ...]
    steps: int

    @property
    def drop(self) -> float:
        """How far the loss fell, as a share of where it began (of 1, where it began near zero); negative when it rose."""
        if not math.isfinite(self.after):
            return -math.inf
        return (self.before - self.after) / max(abs(self.before), 1e-12)


@dataclass(frozen=True)
class Trial:
    """A control beside no control, from the same state on the same batches."""

    name: str
    as_is: Curve
    with_control: Curve

    @property
    def helps(self) -> bool:
        """Whether the control makes a plain difference: a fall three times as far, and by a twentieth of the loss more."""
        return self.with_control.drop > max(3 * self.as_is.drop, self.as_is.drop + 0.05, 0.05)

    @property
    def gain(self) -> float:
        """Difference of the falls, for ranking controls against each other."""
        return self.with_control.drop - max(self.as_is.drop, -1.0)

    def to_dict(self) -> dict[str, Any]:
        """As finding.probe has it."""
        return {
            "control": self.name,
            "steps": self.with_control.steps,
            "as_it_is": [round(self.as_is.before, 6), round(self.as_is.after, 6)],
            "with_control": [round(self.with_control.before, 6), round(self.with_control.after, 6)],
            "gain": round(self.gain, 4),
        }

    @property
    def in_words(self) -> str:
        """The numbers in a clause."""
        now, then = self.as_is, self.with_control
        return (
            f"with {self.name}: the loss goes {then.before:.4g} -> {then.after:.4g} in {then.steps} steps; "
            f"as it is: {now.before:.4g} -> {now.after:.4g}"
        )


class Lab:
    """Copies and replays of one watched training. start: network and optimizer as they were before the first step."""

    def __init__(self, model: nn.Module, optimizers: list[Optimizer]) -> None:
        self.model, self.optimizers = model, optimizers
        self.spent = 0.0
        size = sum(p.numel() * p.element_size() for p in model.parameters() if not is_lazy(p)) / 2**20
        self.too_large = f"the network takes {size:.0f} MB, and copies stop at {COPIED_MB} MB" if size > COPIED_MB else None
        lazy = any(is_lazy(p) for p in model.parameters())
        self.start_problem: str | None = "lazy layers had no shape at the start" if lazy else self.too_large
        self.start: Twin | None = None
        try:
            self.start = None if self.start_problem else Twin(model, optimizers)
        except NotReplayable as problem:
            self.start_problem = str(problem)

    def now(self) -> Twin:
        """A copy of network and optimizer as they are. Raises NotReplayable."""
        if self.too_large:
            raise NotReplayable(self.too_large)
        return Twin(self.model, self.optimizers)

    def at_start(self) -> Twin:
        """A copy of network and optimizer as they were before the first step. Raises NotReplayable."""
        if self.start is None:
            raise NotReplayable(self.start_problem or "the start was not kept")
        return self.start.again()

    def curve(
        self,
        twin: Twin,
        moments: list[Moment],
        *,
        steps: int = STEPS,
        change: Change | None = None,
        clip: float | None = None,
        after_step: Control | None = None,
        seconds: float = SECONDS,
    ) -> Curve:
        """Train `twin` on the recorded steps, one after the other and round again; `steps` says where the time ended it early."""
        began = time.perf_counter()
        before = self.mean_loss(twin, moments, change=change)
        losses: list[float] = []
        for number in range(steps):
            losses.append(sum(twin.step(moments[number % len(moments)], change=change, clip=clip)))
            if after_step is not None:
                after_step(twin)
            if not math.isfinite(losses[-1]) or time.perf_counter() - began > seconds:
                break
        after = self.mean_loss(twin, moments, change=change)
        self.spent += time.perf_counter() - began
        return Curve(before, after, tuple(losses), len(losses))

    def mean_loss(self, twin: Twin, moments: list[Moment], *, change: Change | None = None) -> float:
        """Mean over recorded steps of their loss on `twin`, in the modes that were recorded; a copy is asked, so buffers stay."""
        asked = twin.again()
        values = [asked.loss(moment, change=change) / (moment.scaled or 1.0) for moment in moments]
        return sum(values) / len(values)

    def trial(
        self,
        name: str,
        control: Control,
        moments: list[Moment],
        *,
        from_start: bool = False,
        steps: int = STEPS,
        change: Change | None = None,
        clip: float | None = None,
    ) -> Trial:
        """A control beside no control. from_start: on the network as it was before training; else as it is now."""
        first = self.at_start() if from_start else self.now()
        second = first.again()
        control(second)
        as_is = self.curve(first, moments, steps=steps)
        return Trial(name, as_is, self.curve(second, moments, steps=as_is.steps, change=change, clip=clip))


def scale_lr(factor: float) -> Control:
    """The control "learning rate times `factor`"."""

    def control(twin: Twin) -> None:
        for optimizer in twin.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * factor

    return control


def set_group(**values: Any) -> Control:
    """The control that sets keys of every parameter group, where the optimizer has them."""

    def control(twin: Twin) -> None:
        for optimizer in twin.optimizers:
            for group in optimizer.param_groups:
                group.update({key: value for key, value in values.items() if key in group})

    return control
