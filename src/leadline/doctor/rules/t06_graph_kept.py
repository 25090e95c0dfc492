"""T06: the graphs of old steps are kept in memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import classifier, watched
from leadline.doctor.check import loss_of
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.graphs_kept import GraphsKept
from leadline.record.finding import Finding

EPOCHS = 2  # passes over the data that a graph outlived: a sum over one epoch is forgotten at its end
STEPS = 400  # or so many steps


class GraphKept(Rule):
    """Graphs of steps long done are still in memory.

    What it sees: The loss of a few steps carries a mark that lives exactly as long as its graph. Marks of nearly all old steps are
    still alive, beyond the end of an epoch: somebody holds a tensor that was not detached, in a running sum or a list.

    Why it hurts: Memory grows with every step, until it is full. Training itself is not wrong.

    What to do: `total += loss.item()`, or `outputs.append(output.detach())`.

    When it is wrong: A sum over one epoch that is read at its end holds little and is forgotten: nothing is said before it outlives two
    passes over the data or 400 steps. This is a warning, never an error.
    """

    code, cause, title = "T06", "graph_kept", "the graphs of old steps are kept"
    needs = ("graphs_kept",)
    after = 50
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """The marks are alive, or not."""
        kept: GraphsKept = evidence["graphs_kept"]
        if len(kept.living) < max(3, kept.watched // 2) or (kept.passes < EPOCHS and kept.steps - kept.living[0] < STEPS):
            return None
        return self.found(
            f"the graphs of {len(kept.living)} old steps of {kept.watched} looked at are still alive, the first of step {kept.living[0]}",
            control="keep numbers, not tensors with a graph: total += loss.item(), outputs.append(output.detach())",
            severity="warning",
            step=kept.living[0],
            evidence={"living": list(kept.living[:8]), "steps": kept.steps},
        )

    @classmethod
    def sick(cls) -> Case:
        """A running sum of losses that still carry their graphs."""
        total: list[Tensor] = []

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
            optimizer.zero_grad()
            loss = loss_of(model, loss_fn, batch)
            loss.backward()
            optimizer.step()
            total[:] = [total[0] + loss] if total else [loss]

        return watched(lambda: total.clear() or classifier(step=step), "total = total + loss, without item()")

    @classmethod
    def well(cls) -> Case:
        """All losses are kept, as numbers."""
        total: list[Tensor] = []

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
            optimizer.zero_grad()
            loss = loss_of(model, loss_fn, batch)
            loss.backward()
            optimizer.step()
            total.append(loss.detach())

        return watched(lambda: classifier(step=step), "a list of detached losses")
