"""L10: one term of the loss pulls so hard that the others are not learnt."""

from __future__ import annotations

from torch import Tensor, nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.check import loss_of
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class AuxiliaryDominates(Rule):
    """A penalty or a second task outweighs the task itself: the total falls, and what the network is for is not learnt.

    What it sees: the terms that the total loss is added up from, and the gradient norm of each; where the others have not fallen by half,
    how far they fall in a replay from the start with the strongest term eased.
    Why it hurts: the weights go where the strong term wants them, and steps are sized for it.
    What to do: scale that term down until the gradient norms are of one size, or bring its targets to unit scale.
    When it is wrong: a strong term beside which the others are learnt all the same is sound, whatever the ratio, and is not named; nor
    is a term that a factor below 1 weighs down on purpose.
    """

    code, cause, title = "L10", "auxiliary_dominates", "One term of the loss drowns the others"
    needs = ("addends",)
    after = 25
    kind = "replay"
    explained_by = ("M18", "L05")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The others do not fall, and do when the strongest is eased."""
        terms = evidence["addends"]
        if not terms.dominates:
            return None
        others = sum(pull for number, pull in enumerate(terms.pulls) if number != terms.strong)
        ratio = terms.pulls[terms.strong] / max(others, 1e-30)
        return self.found(
            f"term {terms.strong + 1} of the loss pulls {ratio:.3g} times as hard at the first weights as the other "
            f"{len(terms.pulls) - 1}, which went {terms.rest_start:.4g} -> {terms.rest_now:.4g}; with that term at 1/{terms.eased:.3g} "
            f"they go to {terms.rest_eased:.4g} in a replay of 30 steps (as it is: {terms.rest_as_is:.4g})",
            control=f"scale term {terms.strong + 1} of the loss by about {1 / ratio:.2g}",
            step=0,
            evidence={"gradient_norms": list(terms.pulls), "term": terms.strong + 1},
            probe={
                "control": f"term {terms.strong + 1} at 1/{terms.eased:.3g}",
                "steps": 30,
                "as_it_is": [terms.rest_start, terms.rest_as_is],
                "with_control": [terms.rest_start, terms.rest_eased],
                "gain": (terms.rest_as_is - terms.rest_eased) / max(abs(terms.rest_start), 1e-12),
            },
        )

    @classmethod
    def sick(cls) -> Case:
        """A penalty on the weights a thousand times too large."""
        return watched(lambda: _penalised(0.3), "0.3 times the sum of all weights' sizes is added to the loss")

    @classmethod
    def well(cls) -> Case:
        """The same penalty, small."""
        return watched(lambda: _penalised(1e-4), "a small penalty on the weights")


def _penalised(strength: float) -> Bench:
    def step(model: nn.Module, loss_fn, optimizer, batch) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, loss_fn, batch) + strength * sum(p.abs().sum() for p in model.parameters())
        loss.backward()
        optimizer.step()
        return loss

    return classifier(step=step)
