"""L01: probabilities go into a loss that wants logits."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.loss_path import Comparison, sums_to_one
from leadline.record.finding import Finding

WANTS_LOGITS = ("cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss")


class DoubleActivation(Rule):
    """The network ends in a softmax or a sigmoid, and the loss function applies its own once more.

    What it sees: the last operation before the loss call, found by doing a recorded step again on a copy: softmax or sigmoid in front of
    cross_entropy, or sigmoid in front of binary_cross_entropy_with_logits.
    Why it hurts: numbers in [0, 1] taken for logits can never say more than e : 1. With K classes the loss cannot fall below
    log(e + K - 1) - 1, and gradients shrink twice, so learning is slow and stops early.
    What to do: give the loss the raw outputs of the last layer, and apply the softmax or sigmoid only where probabilities are shown.
    When it is wrong: a log_softmax in front of cross_entropy changes nothing and is not this; scaled probabilities (20 * sigmoid) neither.
    """

    code, cause, title = "L01", "double_activation", "Softmax or sigmoid twice"
    needs = ("loss_path",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A loss call that wants logits, right behind an activation."""
        for call in evidence["loss_path"].calls(*WANTS_LOGITS):
            if _is_twice(call):
                return self.found(
                    f"the network's outputs went through {call.end} and then into {call.name}, which applies its own: they lie in "
                    f"[{call.sample.min():.3g}, {call.sample.max():.3g}], where the loss expects logits of any size",
                    control=f"remove the {call.end} at the end of the network (keep it for showing probabilities)",
                    step=evidence["loss_path"].step,
                    evidence={"activation": call.end, "loss": call.name, "min": float(call.sample.min()), "max": float(call.sample.max())},
                )
        return None

    @classmethod
    def sick(cls) -> Case:
        """Softmax, then CrossEntropyLoss."""
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(1))),
            "the network ends in a softmax, the loss is cross-entropy",
        )

    @classmethod
    def well(cls) -> Case:
        """LogSoftmax, then CrossEntropyLoss: once more of the same, which changes nothing."""
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.LogSoftmax(1))),
            "log-softmax twice is log-softmax once",
        )


def _is_twice(call: Comparison) -> bool:
    if call.end == "sigmoid":
        return True
    return call.end == "softmax" and sums_to_one(call.sample, 1 if call.sample.ndim > 1 else 0)  # along another axis it is M16
