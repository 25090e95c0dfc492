"""M15: a network with a place so narrow that the task does not fit through."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class TooSmall(Rule):
    """The network cannot even learn one batch by heart, because one of its layers lets too little through.

    What it sees: a layer of one or two units between wide ones; a copy without regularisers does not learn one recorded batch by heart with
    any of three learning rates; and with a wide way beside the narrow layer it goes further in a few steps than the whole run.
    Why it hurts: what does not pass the narrowest layer is lost for all that follow.
    What to do: widen it: at least as many units as classes, better several times as many.
    When it is wrong: the code of an autoencoder and two features for a picture are narrow on purpose; where they learn, nothing is said.
    """

    code, cause, title = "M15", "too_small", "Too narrow for the task"
    needs = ("narrow",)
    after = 60
    kind = "replay"
    explained_by = ("M01", "M02", "M03", "M04", "M05", "M06", "O01", "O02")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Not by heart, and wider helps."""
        found = evidence["narrow"]
        if found is None or found.known or (found.reconstructs and found.width > 1):
            return None
        then, same = found.trial.with_control, found.trial.as_is
        level = found.trivial if found.trivial is not None else abs(same.before)
        if then.after > min(same.after, found.now) - 0.2 * level:
            return None
        return self.found(
            f"{found.path} has {found.width} unit{'s' if found.width > 1 else ''}, and what follows must do with that; {found.in_words}; "
            f"{found.trial.in_words}, and the run stands at {found.now:.4g}",
            control="widen the layer: at least as many units as there are classes, better several times as many",
            step=0,
            where=found.path,
            evidence={"width": found.width, "loss_now": found.now},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Ten classes through one unit."""
        return watched(lambda: _many(1), "ten classes must pass one unit")

    @classmethod
    def well(cls) -> Case:
        """Wide enough."""
        return watched(lambda: _many(8), "eight units carry ten classes")


def _many(width: int) -> Bench:
    x, y = blobs(features=12, classes=10, spread=0.5)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, width), nn.Tanh(), nn.Linear(width, 48), nn.ReLU(), nn.Linear(48, 10))
    return classifier(model=net, loader=loader(x, y), steps=150)
