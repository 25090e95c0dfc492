"""M10: part of the network is cut off from the loss's gradient although the loss hangs on it."""

from __future__ import annotations

from torch import Tensor, nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

NAMED = 3  # parts in the sentence


class DetachedGraph(Rule):
    """Some layers compute what the loss depends on, are trainable and in the optimizer, and never get a gradient.

    What it sees: parameters without any gradient at the steps of their optimizer, whose change on a copy changes the loss: the numbers
    flow through them, the gradient does not.
    Why it hurts: these layers stay as they were at the start; what comes after them learns on random features.
    What to do: remove the .detach(), .data, no_grad, numpy() or argmax between these layers and the loss (a straight-through estimator for
    a choice that has no slope), or freeze them openly with requires_grad_(False).
    When it is wrong: layers whose output the loss does not use, and slow copies that follow by averaging, are not named.
    """

    code, cause, title = "M10", "detached_graph", "Layers cut off from the gradient"
    needs = ("reach",)
    after = 2
    kind = "experiment"

    def examine(self, evidence: Evidence) -> Finding | None:
        """The loss hangs on parameters that have no gradient."""
        reach = evidence["reach"]
        if not reach.cut:
            return None
        shown = ", ".join(part or "the network itself" for part in reach.parts[:NAMED]) + (", ..." if len(reach.parts) > NAMED else "")
        return self.found(
            f"{len(reach.cut)} of {reach.asked} optimised parameters never get a gradient ({shown}), although changing them changes the "
            "loss: the graph is cut behind them",
            control="remove the .detach(), .data, no_grad, numpy() or argmax behind these layers, or freeze them openly",
            step=reach.step,
            where=reach.parts[-1] or None,
            evidence={"parameters": list(reach.cut[:20]), "parts": list(reach.parts[:20])},
        )

    @classmethod
    def sick(cls) -> Case:
        """Features are detached before the head."""

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body, self.head = nn.Linear(8, 32), nn.Linear(32, 3)

            def forward(self, x: Tensor) -> Tensor:
                return self.head(self.body(x).relu().detach())

        return watched(lambda: classifier(model=Net()), "features are detached before the head")

    @classmethod
    def well(cls) -> Case:
        """A second head whose output nobody uses yet."""

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body, self.head, self.spare = nn.Linear(8, 32), nn.Linear(32, 3), nn.Linear(32, 1)

            def forward(self, x: Tensor) -> Tensor:
                features = self.body(x).relu()
                self.spare(features)
                return self.head(features)

        return watched(lambda: classifier(model=Net()), "a second head runs, and the loss does not use it")
