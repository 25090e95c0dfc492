"""N02: gradients that float16 rounds to zero: the same step in float32 has them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

MOST_LOST = 0.5  # of the gradient's elements: more than half of the update is missing


class HalfUnderflow(Rule):
    """float16 cannot hold gradients below 6e-8, and without a scaled loss many are smaller than that.

    What it sees: the last recorded step done again in float16 and in float32: elements of the gradient that are zero in the first only.
    Why it hurts: the weights behind these zeros do not learn.
    What to do: torch.amp.GradScaler around backward and step, or bfloat16, which has the range of float32.
    When it is wrong: a few zeros are normal and are not named; with a scaler at work nothing is asked.
    Source: Micikevicius et al., Mixed Precision Training, 2018.
    """

    code, cause, title = "N02", "fp16_underflow", "Gradients underflow in float16"
    needs = ("half_underflow",)
    after = 4
    kind = "experiment"
    explained_by = ("N03", "N05")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Many lost elements; an error where float32 learns and float16 does not."""
        half = evidence["half_underflow"]
        trial = half.trial if half.trial is not None and half.trial.helps else None
        if half.lost < MOST_LOST and trial is None:
            return None
        proof = f"; {trial.in_words}" if trial is not None else ""
        return self.found(
            f"{half.lost:.0%} of the gradient's elements are exactly zero in float16 and not in float32 (most in {half.worst[0]}){proof}",
            control="scale the loss: scaler = torch.amp.GradScaler(); or autocast to bfloat16",
            severity="error" if trial is not None or half.lost > 0.95 else "warning",
            where=half.worst[0],
            evidence={"lost": half.lost, "worst": half.worst[0]},
            probe=None if trial is None else trial.to_dict(),
            set={"train.precision": "bf16"},
        )

    @classmethod
    def sick(cls) -> Case:
        """A loss of a few millionths in float16."""
        return watched(lambda: _in_half(6e-6), "a tiny loss in float16 without a scaler")

    @classmethod
    def well(cls) -> Case:
        """The same in float16 with a loss of usual size."""
        return watched(lambda: _in_half(1.0), "float16 without a scaler, gradients large enough")


def _in_half(weight: float) -> Bench:
    def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model(batch[0]), batch[1]) * weight
        loss.backward()
        optimizer.step()

    return classifier(step=step, steps=60)
