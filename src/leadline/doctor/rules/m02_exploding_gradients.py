"""M02: through many layers the signal or its gradient grows beyond all bounds."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.start_signs import gains_in_numbers
from leadline.record.finding import Finding


class ExplodingGradients(Rule):
    """Each of many layers enlarges the signal or the gradient a little, and the product is huge.

    What it sees: at the start the signal or the gradient grows a hundredfold along the depth; the run does not learn; and from a start that
    keeps the signal's size the network goes further in forty steps than the whole run did.
    Why it hurts: the first steps are far too long, outputs and losses overflow (Pascanu, Mikolov and Bengio 2013).
    What to do: a start that fits (He, Glorot, orthogonal), normalisation, clipping of gradients, a lower learning rate with warm-up.
    When it is wrong: growth alone is no fault where normalisation or a small rate absorbs it; then no cure wins and nothing is said.
    """

    code, cause, title = "M02", "exploding_gradients", "Signal or gradients explode along the depth"
    needs = ("ailment",)
    after = 10
    kind = "replay"
    explained_by = ("D01", "D02")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The ailment, where it is this one."""
        found = evidence["ailment"]
        if found is None or found.code != self.code:
            return None
        growth = f"the signal grows {found.signs.growth:.3g} times" if found.signs.growth is not None else "the signal grows"
        return self.found(
            f"through {found.signs.matrices} layers {growth} (loss at the start {found.signs.loss:.4g}); {found.in_words}",
            control="He's or Glorot's start, normalisation between the layers, and clip_grad_norm_(model.parameters(), 1.0)",
            step=0,
            where=next(iter(found.signs.off_scale), None),
            evidence={**gains_in_numbers(found.signs), "off_scale": {k: round(v, 3) for k, v in list(found.signs.off_scale.items())[:20]}},
            probe=found.trial.to_dict(),
            set={"train.clip_norm": 1.0},
        )

    @classmethod
    def sick(cls) -> Case:
        """Ten layers with a gain of three."""
        return watched(lambda: classifier(model=_growing(3.0)), "each of ten layers triples the signal")

    @classmethod
    def well(cls) -> Case:
        """A gain of 1.3, which Adam absorbs."""
        return watched(lambda: classifier(model=_growing(1.3)), "the signal grows fourteenfold, and the network learns")


def _growing(gain: float) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number in range(10):
        layer = nn.Linear(8 if number == 0 else 24, 24)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layer.weight.data.mul_(gain)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(24, 3))
