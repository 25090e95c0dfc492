"""L05: training makes the loss larger on purpose: a minus too many, or one too few."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from leadline.doctor.bench import classifier, regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class SignFlipped(Rule):
    """The optimizer climbs where it should descend: the loss is negated, a log-likelihood lacks its minus, or maximize=True is left on.

    What it sees: the derivative of what backward began at by the value of the loss function (negative: the loss rises as the total falls);
    for a loss written by hand, which way it pushes the answers: away from their targets, row by row.
    Why it hurts: every step makes the answers worse, and the loss has no lower bound.
    What to do: remove the minus (or put it before the log-likelihood), or take maximize=True out of the optimizer.
    When it is wrong: an adversary maximises on purpose; programs with another network in the step, or with a second loss of the right
    sign, are not named.
    """

    code, cause, title = "L05", "sign_flipped", "The loss is maximised"
    needs = ("direction",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Every loss call, or nearly every row of a loss by hand, is pushed the wrong way."""
        way = evidence["direction"]
        if not way.is_wrong:
            return None
        control = (
            "take maximize=True out of the optimizer"
            if way.maximize
            else "remove the minus before the loss, or put one before the log-likelihood"
        )
        return self.found(
            f"training climbs: {way.in_words}",
            control=control,
            step=way.step,
            evidence={"wrong": way.wrong, "asked": way.asked, "maximize": way.maximize},
        )

    @classmethod
    def sick(cls) -> Case:
        """One's own log-likelihood without the minus."""

        def loss(output: Tensor, y: Tensor) -> Tensor:
            return output.log_softmax(1).gather(1, y[:, None]).mean()

        return watched(lambda: classifier(loss_fn=loss), "the minus before the log-likelihood is missing")

    @classmethod
    def well(cls) -> Case:
        """A loss that is negative and falls: minus the Gaussian log-likelihood of a small noise."""

        def loss(output: Tensor, y: Tensor) -> Tensor:
            return -torch.distributions.Normal(output, 0.1).log_prob(y).mean() / 100 - 5 + 0 * F.mse_loss(output, y)

        return watched(lambda: regressor(loss_fn=loss), "a likelihood whose loss is negative")
