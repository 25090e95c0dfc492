"""M01: through many layers the signal, or its gradient, shrinks to nothing, and the first layers are told nothing."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.start_signs import gains_in_numbers
from leadline.record.finding import Finding


class VanishingGradients(Rule):
    """Each of many layers passes only a part of the gradient (or of the differences between inputs), and the product is nothing.

    What it sees: at the start the gradient at the first layer is less than a thousandth of the last layer's (the gains of all layers and
    their product are in the evidence), or all inputs look alike before the last layer; the run learns little; and from the same start
    another activation, skips or another scale go further in forty steps than the whole run did.
    Why it hurts: early layers stay at their random start. A sigmoid passes at most 1/4 (Hochreiter 1991; Glorot and Bengio 2010).
    What to do: ReLU or GELU for sigmoid and tanh, He's or Glorot's start, residual connections, normalisation.
    When it is wrong: small ratios alone are common in nets that learn; without a cure that wins nothing is said.
    """

    code, cause, title = "M01", "vanishing_gradients", "Gradients vanish on their way down"
    needs = ("ailment",)
    after = 20
    kind = "replay"
    explained_by = ("D01", "M04", "M19")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The ailment, where it is this one."""
        found = evidence["ailment"]
        if found is None or found.code != self.code:
            return None
        through = found.signs.through
        ratio = (
            f"the gradient at the first layer is {through:.1e} of the last layer's"
            if through is not None
            else "little gradient arrives below"
        )
        alike = f"; rows are alike before the head (cosine {found.signs.similarity:.4f})" if (found.signs.similarity or 0) > 0.99 else ""
        return self.found(
            f"through {found.signs.matrices} layers {ratio}{alike}; {found.in_words}",
            control="ReLU or GELU in the place of sigmoid and tanh, He's start (kaiming_normal_), residual connections or normalisation",
            step=0,
            where=found.signs.gains[0][0] if found.signs.gains else None,
            evidence={**gains_in_numbers(found.signs), "cure": found.cure},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Ten layers with sigmoids."""
        return watched(lambda: classifier(model=_deep(nn.Sigmoid, 10)), "ten sigmoid layers")

    @classmethod
    def well(cls) -> Case:
        """Ten layers with ReLUs and He's start."""
        return watched(lambda: classifier(model=_deep(nn.ReLU, 10)), "as deep, with ReLUs")


def _deep(activation: type[nn.Module], depth: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [nn.Linear(8 if number == 0 else 24, 24), activation()]
        if activation is nn.ReLU:
            nn.init.kaiming_normal_(layers[-2].weight)  # pyright: ignore[reportArgumentType]
    return nn.Sequential(*layers, nn.Linear(24, 3))
