"""L06: the loss is a sum (or is divided once too often), at a learning rate that is meant for the mean."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.rescaled import is_odd
from leadline.record.finding import Finding


class WrongReduction(Rule):
    """The loss is summed over the batch, or divided by a count once too often, so that the gradient is many times too large or too small.

    What it sees: the derivative of what backward began at by the loss call's value, against the mean over the batch; and that training
    goes badly while a replay with a learning rate that makes up for the factor learns.
    Why it hurts: with SGD a sum over 64 rows is a learning rate 64 times as high, and it changes with the batch size; dividing a mean by
    the batch size again makes it 64 times too low.
    What to do: reduction="mean" (or divide a sum by the number of targets), and divide once only when accumulating.
    When it is wrong: sums are sound with a learning rate made for them, and Adam hardly minds; without harm nothing is said.
    """

    code, cause, title = "L06", "wrong_reduction", "Sum instead of mean, or divided twice"
    needs = ("loss_scale", "tournament", "rescaled")
    after = 4
    kind = "replay"
    explained_by = ("T04", "T01", "L05", "D01", "D02")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The factor is far from 1, and a learning rate that goes the other way learns."""
        scale = evidence["loss_scale"]
        if not is_odd(scale):
            return None
        proof = self._won(evidence, scale.factor) or self._tried(evidence)
        if proof is None:
            return None
        how = "summed over the batch" if scale.reduction == "sum" else "multiplied" if scale.factor > 1 else "divided once too often"
        return self.found(
            f"the loss ({scale.loss}) is {how}: its gradient is {scale.factor:.3g} times that of the mean over the batch, and the learning "
            f"rate is not made for that; {proof[0]}",
            control="reduction='mean'" if scale.factor > 1 else "take the mean over the batch as the loss, divided by nothing else",
            step=scale.step,
            evidence={"factor": scale.factor, "reduction": scale.reduction, "loss": scale.loss},
            probe=proof[1],
        )

    def _won(self, evidence: Evidence, factor: float) -> tuple[str, dict[str, Any]] | None:
        """Whether a rate that goes the same way wins against the other settings."""
        try:
            tournament = evidence["tournament"]
        except NotExamined:
            return None
        winner = tournament.winner
        if winner is None or winner.candidate.code != ("O01" if factor > 1 else "O02"):
            return None
        return tournament.in_words(winner), winner.trial.to_dict()

    def _tried(self, evidence: Evidence) -> tuple[str, dict[str, Any]] | None:
        """Whether the rate that makes up for the very factor helps."""
        trial = evidence["rescaled"]
        saved = not math.isfinite(trial.as_is.after) and trial.with_control.drop > 0
        return (trial.in_words, trial.to_dict()) if trial.helps or saved else None

    @classmethod
    def sick(cls) -> Case:
        """reduction="sum" with the rate of the mean."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
            optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
            return classifier(model=model, optimizer=optimizer, loss_fn=nn.CrossEntropyLoss(reduction="sum"))

        return watched(make, "a sum over the batch at the learning rate of the mean")

    @classmethod
    def well(cls) -> Case:
        """A sum, with Adam, which does not mind."""
        return watched(lambda: classifier(loss_fn=nn.CrossEntropyLoss(reduction="sum")), "a sum over the batch, with Adam")
