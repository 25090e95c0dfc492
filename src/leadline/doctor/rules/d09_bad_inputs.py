"""D09: the inputs hold NaN or infinity, or are all the same."""

from __future__ import annotations

import torch

from leadline.doctor.bench import blobs, classifier, curve, loader, regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.bad_inputs import BadInputs
from leadline.record.finding import Finding


class BadInputValues(Rule):
    """The training inputs hold cells that are no numbers, or hold nothing at all.

    What it sees: a NaN or an infinity among the inputs, together with a loss or a weight that is not finite; or inputs that are exactly the
    same in every row although the rows come from different examples.
    Why it hurts: one NaN spreads through every sum that it takes part in, to the loss, to all gradients and with the step to all weights.
    Equal inputs leave nothing to tell examples apart by.
    What to do: fill or drop missing values before training; do not divide by a deviation of 0; use log1p for counts; divide bytes by
    255, not
    with the integer division.
    When it is wrong: a network that masks missing values itself keeps a finite loss, and is left alone; so are masks made of -inf.
    """

    code, cause, title = "D09", "bad_values", "Inputs that are not finite, or all the same"
    needs = ("bad_inputs",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Not finite and it spreads, or no difference between rows."""
        seen: BadInputs = evidence["bad_inputs"]
        if seen.constant:
            return self.found(
                f"all {seen.num_rows} input rows that were read are exactly the same: there is nothing to learn from",
                control="look at the step that prepares the inputs (an integer division, a cast, a wrong file or column)",
                where="inputs",
                evidence={"rows": seen.num_rows},
            )
        if not seen.share or not seen.breaks:
            return None
        columns = ", ".join(map(str, seen.columns))
        return self.found(
            f"{seen.share:.2%} of the input cells are {seen.what} (first in row {seen.rows[0]} of those read, "
            f"feature {columns}), and the loss is not finite since",
            control="fill or drop missing values before training, and divide by deviations only where they are not 0",
            where=f"inputs, feature {columns}",
            evidence={"share": seen.share, "rows": list(seen.rows), "features": list(seen.columns), "what": seen.what},
        )

    @classmethod
    def sick(cls) -> Case:
        """A few missing values."""
        x, y = blobs()
        x[torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.01] = torch.nan
        return watched(lambda: classifier(loader=loader(x, y)), "one cell in a hundred is missing")

    @classmethod
    def well(cls) -> Case:
        """Columns that never change are of no use, and do no harm."""
        x, y = curve()
        x[:, 3] = 5.0
        return watched(lambda: regressor(loader=loader(x, y)), "one column is constant")
