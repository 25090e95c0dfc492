"""M16: a softmax over an axis that does not hold the classes, or over a single unit."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.loss_path import Comparison, sums_to_one
from leadline.doctor.signals.pair import BINARY_LOSSES, REGRESSION_LOSSES
from leadline.record.finding import Finding


class WrongSoftmax(Rule):
    """The network's softmax runs over the rows of the batch (or over positions) instead of the classes, or over one unit only.

    What it sees: the last operation before the loss is a softmax whose numbers do not sum to 1 over the classes that the loss compares, or
    a softmax over an axis of length 1, which always gives 1.
    Why it hurts: over the batch every row's answer hangs on the rows beside it, and all rows together share one unit of probability. Over
    one unit the answer is the constant 1 and every gradient is exactly 0.
    What to do: softmax(dim=1) (dim=-1 for class-last outputs), or none at all before cross-entropy. For one unit: a sigmoid.
    When it is wrong: contrastive losses run a softmax over the batch on purpose, in the loss and not at the end of the network.
    """

    code, cause, title = "M16", "wrong_softmax", "Softmax over the wrong axis"
    needs = ("loss_path",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A softmax before the loss that does not sum to 1 over the classes, or over a single unit."""
        path = evidence["loss_path"]
        for call in path.calls("cross_entropy", "nll_loss", "sub", *BINARY_LOSSES, *REGRESSION_LOSSES):
            why = _why(call)
            if why is not None:
                return self.found(
                    f"the network ends in {call.end} over axis {call.end_axis} of {call.end_shape}: {why}",
                    control="use a sigmoid for a single unit (or BCEWithLogitsLoss without one)"
                    if call.end_size == 1
                    else "run the softmax over the class axis (dim=1, or dim=-1 where classes come last)",
                    step=path.step,
                    evidence={"activation": call.end, "axis": call.end_axis, "shape": list(call.end_shape), "loss": call.name},
                )
        return None

    @classmethod
    def sick(cls) -> Case:
        """LogSoftmax over the batch, then NLLLoss."""
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.LogSoftmax(0)), loss_fn=nn.NLLLoss()),
            "log-softmax over the rows of the batch",
        )

    @classmethod
    def well(cls) -> Case:
        """LogSoftmax over the last axis, which is the class axis."""
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.LogSoftmax(-1)), loss_fn=nn.NLLLoss()),
            "log-softmax over the classes, counted from behind",
        )


def _why(call: Comparison) -> str | None:
    if "softmax" not in call.end or call.end_axis is None:
        return None
    if call.end_size == 1:
        return "over a single unit the answer is constant and no gradient flows"
    if call.name not in ("cross_entropy", "nll_loss") or (call.end_shape == call.output and call.end_axis == _classes(call)):
        return None
    values = call.sample.double().exp() if call.end == "log_softmax" else call.sample
    if sums_to_one(values, _classes(call)) or values.shape[_classes(call)] < 2:
        return None
    return f"the loss takes axis {_classes(call)} of {call.output} for the classes, and the probabilities do not sum to 1 there"


def _classes(call: Comparison) -> int:
    return 1 if len(call.output) > 1 else 0
