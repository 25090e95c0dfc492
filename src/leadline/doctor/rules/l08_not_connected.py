"""L08: the loss does not hang on the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class NotConnected(Rule):
    """backward runs, the optimizer steps, and no parameter ever gets a gradient, because the loss was cut off from the network.

    What it sees: no gradient, or exactly zero, at every optimised parameter in every recorded step; and on a copy no path from the
    network's parameters to the loss, or one through a rounding only.
    Why it hurts: nothing is learnt, and nothing complains.
    What to do: compute the loss from the network's outputs as they are: no .item(), .detach(), torch.tensor(...) or rounding on the way.
    When it is wrong: a gradient that dies inside the network (dead units, zero weights) is another fault and not named here.
    """

    code, cause, title = "L08", "not_connected", "The loss hangs on nothing"
    needs = ("reach",)
    explained_by = ("M16", "L02", "M04", "O03")

    def examine(self, evidence: Evidence) -> Finding | None:
        """No gradient anywhere, and no path."""
        reach = evidence["reach"]
        if reach.connected:
            return None
        return self.found(
            f"none of the {reach.asked} optimised parameters gets a gradient from the loss ({reach.loss:.4g}): {reach.how}",
            control="compute the loss from the network's own outputs, without .item(), .detach(), torch.tensor(...) or rounding in between",
            step=reach.step,
            evidence={"parameters": reach.asked, "loss": reach.loss},
        )

    @classmethod
    def sick(cls) -> Case:
        """The loss is wrapped in a tensor of its own, which silences the error message."""

        def loss(output: Tensor, y: Tensor) -> Tensor:
            return torch.tensor(nn.functional.cross_entropy(output, y).item(), requires_grad=True)

        return watched(lambda: classifier(loss_fn=loss), "torch.tensor(loss.item(), requires_grad=True)")

    @classmethod
    def well(cls) -> Case:
        """The last layer starts at zero: in the first step the layers before it get exactly zero gradients."""

        def make():
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            nn.init.zeros_(model[2].weight)  # pyright: ignore[reportArgumentType]
            return classifier(model=model)

        return watched(make, "a last layer that starts at zero")
