"""N01: a value is not finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from leadline.doctor.bench import classifier, regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.origin import Origin
from leadline.doctor.rule import Case, Rule, some
from leadline.doctor.signals.nonfinite import NonFinite
from leadline.record.finding import Finding


class NotFinite(Rule):
    """A loss or a gradient is NaN or infinite.

    What it sees: The loss at every backward pass, and the gradient nearest the input at every step. At the first that is not finite the
    graph is still there: it is walked from the inputs on to the first operation that made such a value out of finite ones, or to the
    parameter or the data that held it. For a gradient the step is done again on a copy, and its backward pass is watched operation by
    operation. Named are the operation, the layer, the step and the rows of the batch.

    Why it hurts: The next update writes NaN into every weight, and nothing is learnt any more, whatever the logged mean says.

    What to do: log 0, division by 0, the root of 0: add an eps inside (`torch.log(x + 1e-8)`, `torch.sqrt(x + 1e-12)`), or use the
    function that takes logits. Overflow after a rising loss: a smaller learning rate, or clipping. Bad rows: clean the data.

    When it is wrong: It is a fact; only its place may be missed, and then the finding says so. A scaled loss that overflows in half
    precision is the scaler's business in its first steps, and nothing is said.
    """

    code, cause, title = "N01", "not_finite", "a value is not finite"
    needs = ("nonfinite",)
    after = 0
    kind = "contract"
    explained_by = ("D09", "O01", "M02", "N02", "N03", "N05", "M05", "D01", "D02", "L03", "L05")

    def examine(self, evidence: Evidence) -> Finding | None:
        """NaN is certain; its place is what the walk found."""
        bad: NonFinite = evidence["nonfinite"]
        where = self._place(bad)
        rising = "; the loss had been rising tenfold before, so training was running away" if bad.rising else ""
        return self.found(
            f"the {bad.what} is not finite at step {bad.step}: {where}{self._rows(bad)}{rising}",
            control=self._control(bad),
            step=bad.step,
            where=bad.origin.layer if bad.origin is not None and bad.origin.layer else None,
            evidence={
                "what": bad.what,
                "operation": bad.origin.op if bad.origin else None,
                "rows": list(bad.origin.rows) if bad.origin is not None and bad.origin.rows else None,
                "bad_weights": list(bad.first_weights[:5]),
            },
        )

    def _place(self, bad: NonFinite) -> str:
        origin = bad.origin
        if origin is None:
            held = f" ({some(bad.first_weights)} hold such values by now)" if bad.first_weights else ""
            return f"where it came from could not be located{held}"
        if origin.kind == "parameter":
            return f"parameter {origin.layer or some(bad.first_weights)} holds such values since the update before"
        place = self._near(origin)
        if origin.kind == "data":
            return f"the data held it already when it came to {origin.op}{place}"
        return f"it was made by {origin.op}{place}" + (f", {origin.why}" if origin.why else "")

    def _near(self, origin: Origin) -> str:
        if origin.in_loss:
            return f" in the loss (after layer {origin.layer})" if origin.layer else " in the loss"
        return f" {'at' if origin.own else 'after'} layer {origin.layer}" if origin.layer else ""

    def _rows(self, bad: NonFinite) -> str:
        rows = bad.origin.rows if bad.origin is not None else None
        if not rows:
            return ""
        if bad.batch_rows == len(rows):
            return ", in all rows of the batch"
        return f", in rows {', '.join(map(str, rows[:8]))}{', ...' if len(rows) > 8 else ''} of the batch"

    def _control(self, bad: NonFinite) -> str:
        if bad.rising:
            return "a learning rate ten times smaller, or clip_grad_norm_ at 1"
        if bad.origin is not None and bad.origin.kind == "data":
            return "take the rows that are not finite out of the data, or fill them in"
        if bad.origin is not None and bad.origin.why:
            return f"keep {bad.origin.op} away from there: add an eps inside it, clamp what goes in, or use the form that takes logits"
        return "clip the gradients, lower the learning rate, and look at the operation named here"

    @classmethod
    def sick(cls) -> Case:
        """A cross-entropy by hand: the logarithm of a ReLU."""

        def loss(logits: Tensor, y: Tensor) -> Tensor:
            shares = logits.relu() / logits.relu().sum(1, keepdim=True)
            return -shares.gather(1, y[:, None]).log().mean()

        return watched(lambda: classifier(loss_fn=loss), "log of relu: 0 for every class that scores below 0")

    @classmethod
    def well(cls) -> Case:
        """Infinities that are meant: masked scores, and a logarithm with an eps."""

        class Masked(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.score, self.value = nn.Linear(4, 4), nn.Linear(4, 1)

            def forward(self, x: Tensor) -> Any:
                scores = self.score(x).masked_fill(x < -1.5, -torch.inf)
                scores = torch.cat([scores, torch.zeros_like(scores[:, :1])], 1)
                return self.value(x) * scores.softmax(1)[:, :1] + (scores.softmax(1).sum(1, keepdim=True) + 1e-8).log()

        return watched(lambda: regressor(model=Masked()), "scores masked with minus infinity before a softmax")
