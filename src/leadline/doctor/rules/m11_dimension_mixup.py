"""M11: rows of a batch reach each other's outputs: a view, a wrong axis or batch_first mixed them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

SHARE = 0.02  # of the other rows: a single neighbour in a batch of 32 counts


class DimensionMixup(Rule):
    """Examples of a batch change each other's outputs although they have nothing to do with each other.

    What it sees: on a copy in eval mode one row of the recorded batch is replaced; outputs of other rows change. The rows were drawn by a
    loader, and no adjacency ties them.
    Why it hurts: the answer for an example depends on its accidental neighbours; what is learnt is lost on another batch.
    What to do: permute or transpose where view or reshape was written; batch_first=True; softmax, mean and norms over the right axis.
    When it is wrong: graphs, sets and sequences whose rows belong together are not drawn row by row; there the rule is silent.
    """

    code, cause, title = "M11", "dimension_mixup", "Rows of a batch are mixed"
    needs = ("dependence",)
    after = 2

    def examine(self, evidence: Evidence) -> Finding | None:
        """Other rows change, rows are independent examples."""
        found = evidence["dependence"]
        if found.mixed < SHARE or found.graph or not found.drawn:
            return None
        if not found.sure and not evidence["learning"].is_bad:
            return None
        why = (
            f"{found.recurrent} takes time first (batch_first=False) and runs over the batch"
            if found.recurrent
            else "a view, an axis or batch_first takes the batch for something else"
        )
        return self.found(
            f"in eval mode, changing one row of a batch of {found.rows} changes the outputs of {found.mixed:.0%} of the other rows: {why}",
            control="batch_first=True"
            if found.recurrent
            else "permute or transpose instead of view; softmax, mean and norms over the features' axis, not the batch's",
            step=0,
            where=found.recurrent,
            evidence={"other_rows_changed": round(found.mixed, 4), "strength": round(min(found.strength, 1e6), 4), "rows": found.rows},
        )

    @classmethod
    def sick(cls) -> Case:
        """A view in the place of a transpose."""
        return watched(lambda: classifier(model=_Viewed()), "x.view(F, B) stands where x.t() was meant")

    @classmethod
    def well(cls) -> Case:
        """Time first, as nn.LSTM has it from the start."""

        def make() -> Bench:
            x_NTF = torch.randn(256, 12, 4)
            return classifier(model=_TimeFirst(), loader=loader(x_NTF, (x_NTF[:, -1, 0] > 0).long()))

        return watched(make, "the batch lies on the second axis, on purpose")


class _Viewed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(8, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.body(x).relu()
        return self.head(hidden.view(hidden.shape[1], hidden.shape[0]).t())


class _TimeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.GRU(4, 16), nn.Linear(16, 3)

    def forward(self, x_NTF: Tensor) -> Tensor:
        return self.head(self.body(x_NTF.transpose(0, 1))[0][-1])
