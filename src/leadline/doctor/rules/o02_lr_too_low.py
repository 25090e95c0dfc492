"""O02: the learning rate is too low: the whole run moved almost nothing, and ten to a thousand times the rate does in a few steps."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.check import default_step
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class LearningRateTooLow(Rule):
    """The weights hardly move, so the loss stays where it began.

    What it sees: the loss of the same recorded batches moved by less than a tenth over the whole run, and a replay from the same start with
    ten to a thousand times the learning rate takes it at least five times as far in a few steps, on batches that it did not train on.
    Why it hurts: the run takes ten to a thousand times as long as it need, which in practice means that it never arrives.
    What to do: take the rate that the replay names; a range test (a few steps at each of several rates) finds the best.
    When it is wrong: while a warm-up raises the rate nothing is said; a small rate that does its work (fine-tuning) moves the loss and is
    no fault.
    """

    code, cause, title = "O02", "lr_too_low", "Learning rate too low"
    needs = ("tournament",)
    after = 50
    kind = "replay"
    explained_by = (
        "O04",
        "O05",
        "O06",
        "O07",
        "N02",
        "N03",
        "N04",
        "T02",
        "T03",
        "T05",
        "D01",
        "D02",
        "M01",
        "M05",
        "L01",
        "L06",
        "L08",
        "L10",
        "N06",
        "O03",
    )

    def examine(self, evidence: Evidence) -> Finding | None:
        """A larger rate wins the tournament."""
        tournament = evidence["tournament"]
        winner = tournament.winner
        if winner is None or winner.candidate.code != self.code:
            return None
        peak = evidence["dynamics"].peak
        rate = peak * winner.candidate.factor
        return self.found(
            f"the learning rate {peak:.3g} is too low: the run of {tournament.steps} steps moved the loss of recorded batches from "
            f"{tournament.start:.4g} to {tournament.now:.4g}; {tournament.in_words(winner)}",
            control=f"raise the learning rate to about {rate:.3g}",
            step=0,
            evidence={"lr": peak, "update_ratio": evidence["dynamics"].update_ratio},
            probe=winner.trial.to_dict(),
            set={"train.optimizer.lr": rate},
        )

    @classmethod
    def sick(cls) -> Case:
        """Adam at 1e-6."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=1e-6), steps=120)

        return watched(make, "Adam with lr=1e-6")

    @classmethod
    def well(cls) -> Case:
        """A warm-up that begins at a hundredth of its rate and is still rising."""

        def make() -> Bench:
            torch.manual_seed(0)
            bench = classifier(steps=60)
            bench.optimizer = torch.optim.Adam(bench.model.parameters(), lr=1e-2)
            schedule = torch.optim.lr_scheduler.LambdaLR(bench.optimizer, lambda done: min(1.0, 0.001 + done / 200))
            bench.step = lambda *given: (default_step(*given), schedule.step())
            return bench

        return watched(make, "a slow warm-up")
