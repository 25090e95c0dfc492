"""M07: layers one after another with no activation between them: the whole is a single linear map."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class MissingNonlinearity(Rule):
    """The network has several weight layers and nothing between them that bends: together they are one linear map.

    What it sees: in the graph of the outputs no operation between two matrices is non-linear, and f(a + b) - f(a) - f(b) + f(0) is zero to
    rounding, though a hidden layer is as wide as its neighbours (so it is no deliberate bottleneck). A replay puts ReLUs in.
    Why it hurts: depth and width add nothing; the network can only draw a straight line.
    What to do: an activation after each hidden layer; look for `F.relu(x)` whose result is not assigned.
    When it is wrong: linear autoencoders and factorised matrices, whose middle is narrower than their ends, are meant to be linear: silent.
    """

    code, cause, title = "M07", "missing_nonlinearity", "No activation between the layers"
    needs = ("linear_net",)
    after = 4  # a replay on a few different batches says more than on one

    def examine(self, evidence: Evidence) -> Finding | None:
        """The network is linear between its layers; with norms in it, activations must help as well."""
        found = evidence["linear_net"]
        if not found.is_linear or found.trial is None:
            return None
        now, then = found.trial.as_is.after, found.trial.with_control.after
        helps = then < 0.9 * now  # a tenth of the loss within a few steps: more than the luck of other activations
        if found.norms and not helps:
            return None
        first, second = found.pair
        proof = "" if found.checked is None else f" (f(a+b)-f(a)-f(b)+f(0) is {found.checked:.0e} of f)"
        return self.found(
            f"nothing non-linear stands between the layers, for example {first} and {second}: the network is one linear map{proof}; "
            f"{found.trial.in_words}",
            control="put an activation (ReLU, GELU) after each hidden layer, and use its result",
            severity="error" if helps else "warning",
            step=0,
            where=second,
            evidence={"layers": [first, second], "linearity_error": found.checked, "norms_between": found.norms},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Three layers, no activation."""
        layers = lambda: nn.Sequential(nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(32, 3))  # noqa: E731
        return watched(lambda: classifier(model=layers()), "the activations were forgotten")

    @classmethod
    def well(cls) -> Case:
        """A deliberate bottleneck: a factorised linear classifier."""
        layers = lambda: nn.Sequential(nn.Linear(8, 2), nn.Linear(2, 3))  # noqa: E731
        return watched(lambda: classifier(model=layers()), "a linear map of rank two, on purpose")
