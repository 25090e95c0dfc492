"""O01: the learning rate is too high: a tenth of it learns from the same start, and as it is nothing is learnt."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class LearningRateTooHigh(Rule):
    """Each step goes far past where the gradient points downhill, so the loss jumps about or grows instead of falling.

    What it sees: training goes badly or the weights move by more than a tenth a step, and a replay from the same start with a tenth or a
    hundredth of the learning rate brings unseen recorded batches further in a few steps than the whole run did.
    Why it hurts: steps overshoot, units die or saturate, and what is lost that way does not come back with a lower rate later.
    What to do: start again with the rate that the replay names (its weights are spoilt: do not go on from them).
    When it is wrong: a large rate that learns is no fault, whatever its size; input scale, initialisation or a loss that is summed can make
    a sound rate too high, and then the replay with those put right gains more and is named first.
    """

    code, cause, title = "O01", "lr_too_high", "Learning rate too high"
    needs = ("tournament",)
    after = 4
    kind = "replay"
    explained_by = (
        "T01",
        "T04",
        "T02",
        "T05",
        "D01",
        "D02",
        "D09",
        "M05",
        "M02",
        "L05",
        "L06",
        "L10",
        "O04",
        "O05",
        "O06",
        "O08",
        "H03",
        "N06",
    )

    def examine(self, evidence: Evidence) -> Finding | None:
        """A smaller rate wins the tournament."""
        tournament = evidence["tournament"]
        winner = tournament.winner
        if winner is None or winner.candidate.code != self.code:
            return None
        peak = evidence["dynamics"].peak
        rate = peak * winner.candidate.factor
        return self.found(
            f"the learning rate {peak:.3g} is too high: {tournament.in_words(winner)}",
            control=f"start again with lr={rate:.3g}",
            step=0,
            evidence={"lr": peak, "update_ratio": evidence["dynamics"].first_ratio},
            probe=winner.trial.to_dict(),
            set={"train.optimizer.lr": rate},
        )

    @classmethod
    def sick(cls) -> Case:
        """Adam at 3."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=3.0), steps=120)

        return watched(make, "Adam with lr=3")

    @classmethod
    def well(cls) -> Case:
        """Plain SGD at 0.5, which is right for this small network."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.5), steps=120)

        return watched(make, "a learning rate of 0.5 that learns")
