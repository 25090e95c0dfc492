"""M06: sigmoids and tanhs that are driven to their ends, where the slope is zero."""

from __future__ import annotations

from torch import Tensor, nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class SaturatedActivations(Rule):
    """Nearly all values of a bounded activation lie at its ends, where it passes no gradient.

    What it sees: at the start more than four in five values of a hidden layer lie within a hundredth of its ends; the run learns little;
    and with twentieth weights before it the network goes further in forty steps than the whole run did.
    Why it hurts: the slope at the ends is nearly zero, so the layers before learn nothing.
    What to do: smaller weights and biases before it, standardised inputs, normalisation, no steep factor inside.
    When it is wrong: gates that are open or closed on purpose; they learn, or no cure wins, and nothing is said.
    """

    code, cause, title = "M06", "saturated_activations", "Saturated activations"
    needs = ("ailment",)
    after = 20
    kind = "replay"
    explained_by = ("D01", "O01")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The ailment, where it is this one."""
        found = evidence["ailment"]
        if found is None or found.code != self.code:
            return None
        return self.found(
            f"at the start nearly all values of {found.signs.saturated[0]} lie at its ends, where it passes no gradient; {found.in_words}",
            control="smaller weights and biases before it (Glorot's start), standardised inputs, or normalisation",
            step=0,
            where=found.signs.saturated[0],
            evidence={"saturated": list(found.signs.saturated[:20]), "fed_by": list(found.signs.feeding[:20])},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """A bias of 30 before a sigmoid."""

        return watched(lambda: classifier(model=_gate(30.0), steps=100), "sigmoid units start at a bias of 30")

    @classmethod
    def well(cls) -> Case:
        """A bias of 2, as for open gates."""
        return watched(lambda: classifier(model=_gate(2.0)), "units that start open, on purpose")


class _Gate(nn.Module):
    def __init__(self, bias: float) -> None:
        super().__init__()
        self.body, self.bend, self.head = nn.Linear(8, 32), nn.Sigmoid(), nn.Linear(32, 3)
        nn.init.constant_(self.body.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.bend(self.body(x)))


def _gate(bias: float) -> nn.Module:
    return _Gate(bias)
