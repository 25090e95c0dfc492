"""T01: gradients of the step before are still there when the next backward pass begins."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import classifier, watched
from leadline.doctor.check import loss_of
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class MissingZeroGrad(Rule):
    """Each step adds its gradient to those of all steps before, because nothing sets them to zero.

    What it sees: the first backward pass after an optimizer step finds the very gradients that the step used, and no zero_grad was heard.
    Why it hurts: the update follows the sum of all gradients since the start, most of them of weights long gone; it grows and overshoots.
    What to do: call optimizer.zero_grad() once before each backward pass (or after each step).
    When it is wrong: accumulation over several backward passes is heard and is not this; only gradients that outlive a step count.
    """

    code, cause, title = "T01", "missing_zero_grad", "Gradients are never set to zero"
    needs = ("leftover_gradients",)
    after = 2

    def examine(self, evidence: Evidence) -> Finding | None:
        """Two steps in a row that began with the gradients of the step before."""
        left = evidence["leftover_gradients"]
        if len(left.steps) < 2:
            return None
        return self.found(
            f"the gradients of the step before were still there at {left.in_words}: nothing sets them to zero, "
            "so each update adds up all gradients since the start",
            control="call optimizer.zero_grad() before loss.backward(), once per step",
            step=left.steps[0],
            evidence={"steps": list(left.steps[:5])},
        )

    @classmethod
    def sick(cls) -> Case:
        """The loop without zero_grad."""

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> Any:
            loss = loss_of(model, loss_fn, batch)
            loss.backward()
            optimizer.step()

        return watched(lambda: classifier(step=step), "zero_grad is left out")

    @classmethod
    def well(cls) -> Case:
        """Accumulation: four backward passes for each step."""
        count = iter(range(1_000_000))

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> Any:
            (loss_of(model, loss_fn, batch) / 4).backward()
            if next(count) % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()

        return watched(lambda: classifier(step=step), "gradients of four batches add up to one step, on purpose")
