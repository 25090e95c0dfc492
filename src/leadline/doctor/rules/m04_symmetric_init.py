"""M04: all units of a layer start alike and get the same gradient: the layer is one unit wide for ever."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class SymmetricInit(Rule):
    """The rows of a weight are equal, and so are the rows of its gradient: its units can never become different.

    What it sees: after a few steps all rows of a matrix are still equal to the bit and the backward pass gives each row the same gradient
    (which may be zero). A replay from a random start is compared.
    Why it hurts: a thousand equal units are one unit; with zeros in two layers one after another not even that one learns.
    What to do: leave PyTorch's own initialisation, or kaiming_normal_ or xavier_uniform_; zeros only for biases, or for one layer where
    the layer beside it is random (the last one, LoRA's B).
    When it is wrong: a zero head, a zero LoRA factor and a zero gamma get different gradients in each row at once, so they are not this.
    """

    code, cause, title = "M04", "symmetric_init", "All units of a layer are alike"
    needs = ("symmetry",)
    after = 4  # two zero layers on purpose (DiT) free each other within two steps
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """Rows that are equal and stay so."""
        found = evidence["symmetry"]
        if not found.names or found.trial is None:
            return None
        better = found.trial.with_control.after < 0.95 * found.trial.as_is.after
        if not better and not evidence["learning"].is_bad:
            return None
        first, more = found.names[0], len(found.names) - 1
        what = "zero" if found.zero else "equal in all rows"
        return self.found(
            f"{first}{f' and {more} more' if more else ''} ({found.share:.0%} of the matrices' elements) is {what}, and every row gets "
            f"the same gradient: its units stay alike for ever; {found.trial.in_words}",
            control="initialise at random (PyTorch's own start, kaiming_normal_, xavier_uniform_); of two adjoining layers one may be zero",
            severity="error" if better else "warning",
            confidence="confirmed" if better else "suspected",
            step=0,
            where=first,
            evidence={"tensors": list(found.names[:20]), "all_zero": list(found.zero[:20]), "share": round(found.share, 4)},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Every weight is zero."""
        return watched(lambda: classifier(model=_filled((0, 2, 4))), "nn.init.zeros_ on every layer")

    @classmethod
    def well(cls) -> Case:
        """Only the head is zero."""
        return watched(lambda: classifier(model=_filled((4,))), "a zero head on random layers")


def _filled(zero: tuple[int, ...]) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    for place in zero:
        for parameter in net[place].parameters():
            nn.init.zeros_(parameter)
    return net
