"""T02: gradients are computed and no step uses them."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import classifier, watched
from leadline.doctor.check import loss_of
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.updates import MANY, Updates
from leadline.record.finding import Finding

FEW = 8  # backward passes: a training that ends before them may have been an attempt


class MissingStep(Rule):
    """Backward passes bring gradients, but no optimizer step uses them.

    What it sees: Backward passes without an `optimizer.step()` of an optimizer that holds the network's parameters: while gradients are
    zeroed in between, or after a whole pass over the loader, or until the end. Or steps at which every gradient is zero or gone because
    `zero_grad()` was called between `backward()` and `step()`. Both are facts of the order of calls; nothing is estimated.

    Why it hurts: The weights never change (or only shrink by weight decay): the loss stays where it began.

    What to do: The order is `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, each once per update, on the optimizer that
    was built from `model.parameters()`.

    When it is wrong: An update written by hand (`p -= lr * p.grad`) is no optimizer step, but it changes the weights, and then
    nothing is said. Gradient accumulation over more than 64 batches waits for its step until the loader was gone through.
    """

    code, cause, title = "T02", "missing_step", "gradients are computed and no step uses them"
    needs = ("updates", "weights_moved")
    after = 0
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """A fact of the loop: the order of its calls."""
        updates: Updates = evidence["updates"]
        if updates.emptied and len(updates.emptied) * 2 >= updates.recorded:
            return self.found(
                f"zero_grad() is called between backward() and step(): at step {updates.emptied[0]} the optimizer found no gradient at all",
                control="call optimizer.zero_grad() before loss.backward(), not between backward and step",
                step=updates.emptied[0],
                evidence={"steps": list(updates.emptied[:5])},
            )
        if updates.steps or not self._is_missing(updates) or evidence["weights_moved"].any_moved:
            return None
        instead = f"; {updates.elsewhere}.step() is called, on an optimizer whose tensors never get a gradient" if updates.elsewhere else ""
        return self.found(
            f"{updates.backwards} backward passes, and no optimizer that holds the network's parameters has stepped{instead}",
            control="call optimizer.step() after loss.backward(), on the optimizer that was built from model.parameters()",
            step=0,
            evidence={"backwards": updates.backwards, "steps": 0},
        )

    def _is_missing(self, updates: Updates) -> bool:
        if updates.backwards < FEW:
            return False
        return updates.ended or updates.thrown_away or updates.epochs > 1 or updates.backwards >= MANY

    @classmethod
    def sick(cls) -> Case:
        """The loop without optimizer.step()."""

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
            optimizer.zero_grad()
            loss_of(model, loss_fn, batch).backward()

        return watched(lambda: classifier(step=step), "optimizer.step() is left out")

    @classmethod
    def well(cls) -> Case:
        """A closure, inside which zero_grad and backward come after step was called."""

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
            def closure() -> Any:
                optimizer.zero_grad()
                loss = loss_of(model, loss_fn, batch)
                loss.backward()
                return loss

            optimizer.step(closure)
            optimizer.zero_grad()

        return watched(lambda: classifier(step=step), "gradients are computed inside step(closure), and zeroed twice")
