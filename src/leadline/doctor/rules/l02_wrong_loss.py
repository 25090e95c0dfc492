"""L02: the loss function is not made for such targets."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import classifier, regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.loss_path import Comparison
from leadline.doctor.signals.pair import REGRESSION_LOSSES
from leadline.record.finding import Finding

BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


class WrongLoss(Rule):
    """The loss function does not fit the task: yes-or-no for class numbers, cross-entropy with one output, squared error of class numbers.

    What it sees: the loss call's outputs and targets against what that loss is defined for: binary cross-entropy with targets that are
    neither 0 nor 1 nor between; cross-entropy over a single column (always 0) or with negative "probabilities"; a squared error that
    teaches all of K outputs one and the same class number.
    Why it hurts: the lowest loss is then not where the answers are right: it can fall without bound, be constant, or pull every output
    of a row to the same number.
    What to do: cross-entropy on K outputs and class numbers for one of K classes; BCEWithLogitsLoss with 0 and 1 for yes or no; a squared
    or absolute error for quantities.
    When it is wrong: soft targets between 0 and 1 and one-hot squared errors are sound and not named.
    """

    code, cause, title = "L02", "wrong_loss", "A loss for another task"
    needs = ("loss_path",)
    explained_by = ("D04",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """The contract of each loss call on its targets."""
        path = evidence["loss_path"]
        for call in path.comparisons:
            broken = _broken(call)
            if broken is not None:
                return self.found(
                    broken[0],
                    control=broken[1],
                    step=path.step,
                    evidence={"loss": call.name, "output": list(call.output), "target": list(call.target)},
                )
        return None

    @classmethod
    def sick(cls) -> Case:
        """The squared error of three outputs against the class's number."""

        def loss(output: Tensor, y: Tensor) -> Tensor:
            return nn.functional.mse_loss(output, y.float()[:, None].expand_as(output))

        return watched(lambda: classifier(loss_fn=loss), "three outputs are all taught the class's number")

    @classmethod
    def well(cls) -> Case:
        """A rating from 0 to 4 as one number: integers, and a quantity all the same."""

        def loss(output: Tensor, y: Tensor) -> Tensor:
            return nn.functional.mse_loss(output, (y * 1.3 + 2).round().clamp(0, 4))

        return watched(lambda: regressor(loss_fn=loss), "ratings are integers and a quantity")


def _broken(call: Comparison) -> tuple[str, str] | None:
    """What is wrong with a comparison, and what to do; None where it is sound."""
    target, name = call.wanted, call.name
    if name in BINARY and _is_outside(target):
        return (
            f"{name} got targets from {target.min():.3g} to {target.max():.3g}, and is defined for 0 to 1: the loss has no lower bound",
            "use CrossEntropyLoss for class numbers (K outputs), an error loss for quantities, or targets of 0 and 1",
        )
    if name == "cross_entropy" and len(call.output) > 1 and call.output[1] == 1:
        return (
            f"cross_entropy got outputs of shape {call.output}: over a single class the softmax is always 1 and no gradient flows",
            "use BCEWithLogitsLoss for one yes-or-no output, an error loss for a quantity, or K outputs for K classes",
        )
    if name == "cross_entropy" and target.is_floating_point() and float(target.min()) < -1e-6:
        return (
            f"cross_entropy got float targets down to {target.min():.3g}, and takes them for probabilities: the loss has no lower bound",
            "use an error loss (MSELoss, L1Loss) for quantities, or class numbers (int64) for classes",
        )
    if (name == "sub" or name in REGRESSION_LOSSES) and _is_one_number_for_all(call):
        return (
            f"all {call.sample.shape[1]} outputs of a row are taught the row's class number ({int(target.min())} to {int(target.max())})",
            "use CrossEntropyLoss on the outputs and the class numbers (int64)",
        )
    return None


def _is_outside(target: Tensor) -> bool:
    """Out of [0, 1], and not merely two labels under other names (which is D04)."""
    values = target.double()
    return bool(((values < -1e-6) | (values > 1 + 1e-6)).any()) and len(torch.unique(values)) > 2


def _is_one_number_for_all(call: Comparison) -> bool:
    """Whether K outputs meet one class number below K."""
    target = call.wanted
    if call.sample.ndim != 2 or target.ndim != 2 or len(target) != len(call.sample):
        return False
    outputs = call.sample.shape[1]
    if outputs < 2 or target.shape[1] not in (1, outputs):
        return False
    same = bool((target == target[:, :1]).all()) and bool((target == target.round()).all())
    return same and float(target.min()) >= 0 and float(target.max()) == outputs - 1 and len(torch.unique(target)) > 1
