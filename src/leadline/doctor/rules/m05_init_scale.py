"""M05: weights that start far too large or far too small."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.start_signs import gains_in_numbers
from leadline.record.finding import Finding


class InitScale(Rule):
    """Some weights start many times wider or narrower than their fan-in calls for.

    What it sees: a matrix more than three times outside the range of the usual starts (std * sqrt(fan_in) from 0.58 to 1.41); the run
    learns little; and from a start that keeps the signal's size it goes further in forty steps than the whole run did.
    Why it hurts: too large: the first answers are confidently wrong, units saturate, and steps are too small beside the weights. Too small:
    inputs and gradients fade away.
    What to do: PyTorch's own start, kaiming_normal_ for ReLU, xavier_uniform_ for tanh; a small last layer.
    When it is wrong: an odd start that learns is nobody's fault: without a cure that wins nothing is said.
    """

    code, cause, title = "M05", "init_scale", "Weights start at the wrong scale"
    needs = ("ailment",)
    after = 10
    kind = "replay"
    explained_by = ("D01", "D02", "M04")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The ailment, where it is this one."""
        found = evidence["ailment"]
        if found is None or found.code != self.code:
            return None
        worst = max(found.signs.off_scale.items(), key=lambda item: max(item[1], 1 / item[1]), default=("the weights", 1.0))
        return self.found(
            f"{worst[0]} starts at std * sqrt(fan_in) = {worst[1]:.3g} (usual: 0.58 to 1.41), and the loss at the start is "
            f"{found.signs.loss:.4g}; {found.in_words}",
            control="leave PyTorch's own start, or use kaiming_normal_ (ReLU) or xavier_uniform_ (tanh, sigmoid)",
            step=0,
            where=worst[0],
            evidence={**gains_in_numbers(found.signs), "off_scale": {k: round(v, 3) for k, v in list(found.signs.off_scale.items())[:20]}},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Every weight is twenty times too small, under SGD."""

        def make() -> Bench:
            model = _scaled(0.05)
            return classifier(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), steps=100)

        return watched(make, "every weight starts at a twentieth")

    @classmethod
    def well(cls) -> Case:
        """Three times too large, and it learns."""
        return watched(lambda: classifier(model=_scaled(3.0)), "weights start three times wider, and it learns all the same")


def _scaled(factor: float) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.weight.data.mul_(factor)
            layer.bias.data.zero_()
    return net
