"""O04: weight decay pulls harder than the gradient: without it the loss falls from the same start."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class WeightDecayTooLarge(Rule):
    """Every step takes the weights towards zero faster than the gradient builds them up.

    What it sees: the pull of weight decay is of the size of the gradient's part of the update, training reaches little, and a replay
    without
    decay reaches more in a few steps than the whole run.
    Why it hurts: the network is held near zero, where its answer is nearly the same for every input.
    What to do: weight decay of 1e-4 (SGD) to 1e-2 (AdamW; times the learning rate), none on norms and biases.
    When it is wrong: at the end of a sound run decay and gradient balance each other, so their ratio alone says nothing; only the replay
    does.
    Source: Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019.
    """

    code, cause, title = "O04", "weight_decay_too_large", "Weight decay too large"
    needs = ("tournament", "decay_removed")
    after = 20
    kind = "replay"
    explained_by = ("T01", "T05")

    def examine(self, evidence: Evidence) -> Finding | None:
        """No decay wins, from the start or from now on."""
        decay = evidence["dynamics"].options.get("weight_decay")
        if not decay:
            return None
        words, trial = evidence["decay_removed"].best
        if trial is None:
            return None
        smaller = decay / 100
        return self.found(
            f"weight decay of {decay:.3g} holds the weights near zero: {words}",
            control=f"weight_decay={smaller:.3g} or 0",
            step=0,
            evidence={"weight_decay": decay, "share_of_update": evidence["dynamics"].decay_share},
            probe=trial.to_dict(),
            set={"train.optimizer.weight_decay": smaller},
        )

    @classmethod
    def sick(cls) -> Case:
        """Adam with L2 of 3."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=3.0), steps=120)

        return watched(make, "weight_decay=3")

    @classmethod
    def well(cls) -> Case:
        """AdamW with a decay of 0.5, times a rate of 0.01: strong, and sound."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.5), steps=120)

        return watched(make, "a strong decay that learns")
