"""N03: the gradient scaler finds no scale that fits: steps are skipped again and again."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.scaler_history import ScalerHistory
from leadline.record.finding import Finding

ENOUGH = 20  # updates of the scale before anything is said
OFTEN = 0.05  # of the updates: a sound run skips one in two thousand

SEARCHING = 2.0**10  # a scale above it has far to go before nothing fits in half precision


class ScalerCollapse(Rule):
    """GradScaler skips a step whenever a gradient is infinite and halves its scale; here halving does not end it.

    What it sees: the scale after each update. The first skips are the search for a scale, and one skip after each growth is its upper end;
    skips beyond these in more than a twentieth of the updates, or a scale below 1, are what is named.
    Why it hurts: skipped steps do not train, and with a scale near zero gradients underflow as well.
    What to do: find what overflows in half precision (a sum, a norm, a penalty, outlier rows) and compute it in float32, or use bfloat16.
    When it is wrong: a handful of skips at the start and now and then are how the scaler works, and are not named.
    """

    code, cause, title = "N03", "scaler_collapse", "Gradient scaler collapses"
    needs = ("scaler_history",)
    after = 4
    explained_by = ("D09", "D01", "O01", "N05")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Too many skips that nothing excuses."""
        history: ScalerHistory = evidence["scaler_history"]
        if history.updates < ENOUGH:
            return None
        share = history.skipped / history.updates
        collapsed = history.scale < 1 and history.recent > OFTEN
        if not collapsed and history.scale > SEARCHING:
            return None  # each skip halves the scale: one that began far too high is still on its way down
        if not collapsed and (share <= OFTEN or history.recent <= OFTEN or history.skipped < 3):
            return None
        return self.found(
            f"{history.all_skipped} of {history.updates} steps were skipped: gradients were not "
            f"finite; the scale went {history.first:.3g} -> {history.scale:.3g}: no scale helps, something overflows",
            control=(
                "autocast to bfloat16, or compute what overflows in float32 (torch.autocast(..., enabled=False)); look for outlier rows"
            ),
            severity="error" if collapsed or history.recent > 0.5 else "warning",
            evidence={"updates": history.updates, "skipped": history.skipped, "recent": history.recent, "scale": history.scale},
            set={"train.precision": "bf16"},
        )

    @classmethod
    def sick(cls) -> Case:
        """A penalty whose gradient overflows at any scale."""
        return watched(lambda: _scaled(overflows=True), "gradients are infinite in each step")

    @classmethod
    def well(cls) -> Case:
        """The scaler's search at the start, and growth every ten steps with a skip after it."""
        return watched(lambda: _scaled(overflows=False), "a scaler that searches its scale")


def _scaled(*, overflows: bool) -> Bench:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30, growth_interval=10)

    def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            out = model(batch[0])
            loss = loss_fn(out, batch[1])
            if overflows:
                loss = loss + 1e-3 * (out - out).float().abs().sqrt().sum()  # sqrt at 0: finite, with an infinite slope
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return classifier(step=step, steps=80)
