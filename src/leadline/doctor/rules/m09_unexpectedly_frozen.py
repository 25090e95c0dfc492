"""M09: the head is frozen, or a body that was never trained is: what should learn cannot."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class UnexpectedlyFrozen(Rule):
    """requires_grad is off where learning was meant: at a new head, or at a body whose weights are still those of a random start.

    What it sees: the last layer is frozen though those before it train; or most elements are frozen, and the frozen matrices have exactly
    the spread of PyTorch's own random start, so no checkpoint was loaded. A replay with everything trainable is compared.
    Why it hurts: a random head or body is no knowledge worth keeping; the rest must work around it.
    What to do: freeze the backbone before the new head is put in, load the checkpoint, or set requires_grad=True.
    When it is wrong: pre-trained bodies (their weights have another spread) and LoRA are frozen on purpose: silent.
    """

    code, cause, title = "M09", "unexpectedly_frozen", "Frozen where it should learn"
    needs = ("frozen",)
    after = 20  # what is compared is learning: before, there is little of it

    def examine(self, evidence: Evidence) -> Finding | None:
        """A frozen head, or a frozen random body, that learns more when it is not frozen."""
        found = evidence["frozen"]
        if found.trial is None:
            return None
        now, then = found.trial.as_is.after, found.trial.with_control.after
        poor = evidence["learning"].is_bad or now > 0.5 * found.trial.as_is.before  # random features that learn are a method
        helps = poor and then < 0.8 * now
        if not helps and found.head is None:
            return None
        where = found.head or found.names[0]
        what = (
            f"the last layer {found.head} is frozen (requires_grad=False) while the layers before it train"
            if found.head
            else f"{found.share:.0%} of the network is frozen, and its weights have the spread of an untouched random start"
        )
        return self.found(
            f"{what}; {found.trial.in_words}",
            control="set requires_grad=True for it, and give it to the optimizer"
            if found.head
            else "load the pre-trained weights before freezing, or unfreeze",
            severity="error" if helps or found.head is not None else "warning",
            confidence="confirmed" if helps else "suspected",
            step=0,
            where=where,
            evidence={
                "frozen_share": round(found.share, 4),
                "untouched_share": round(found.untrained, 4),
                "frozen": list(found.names[:20]),
            },
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """The head was frozen with the backbone."""
        return watched(lambda: classifier(model=_frozen(4)), "the loop that froze the backbone came after the new head")

    @classmethod
    def well(cls) -> Case:
        """A frozen backbone that was trained before."""
        return watched(lambda: classifier(model=_frozen(0, 2)), "a wide random layer feeds what trains: random features, which learn well")


def _frozen(*places: int) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    for place in places:
        net[place].requires_grad_(False)
    return net
