"""E05: validation computes its loss on another path than training."""

from __future__ import annotations

import torch

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class ValLossDiffers(Rule):
    """The validation loss is not the training loss on other rows: a softmax more, a logarithm less, or inputs on another scale.

    What it sees: the loss calls of validation beside training's: probabilities into a loss that wants logits where training gives logits,
    numbers above 0 into NLLLoss where training gives logarithms; and operations that scale the network's inputs in validation only.
    Why it hurts: the two curves cannot be compared: a gap or a flat validation loss says nothing about the network, and early stopping
    follows it.
    What to do: one function for both: the same preprocessing, the same outputs, the same loss.
    When it is wrong: another loss shown beside the main one (an absolute error, a loss without label smoothing) is not named.
    """

    code, cause, title = "E05", "val_loss_differs", "Validation takes another path than training"
    needs = ("val_script",)
    explained_by = ("L01", "L03")

    def examine(self, evidence: Evidence) -> Finding | None:
        """A contract that only validation breaks, or inputs that only validation scales."""
        seen = evidence["val_script"]
        if seen.loss_differs is not None:
            return self.found(
                f"in validation {seen.loss_differs}; in training they do not: the two losses cannot be compared",
                control="compute the validation loss from the same outputs and with the same code as the training loss",
                step=seen.step,
                evidence={"difference": seen.loss_differs},
            )
        if seen.input_scale is None:
            return None
        return self.found(
            f"validation scales the network's inputs and training does not: their spread is {seen.input_scale:.3g} times training's",
            control="use the same preprocessing in validation as in training",
            severity="warning",
            step=seen.step,
            evidence={"input_scale": seen.input_scale},
        )

    @classmethod
    def sick(cls) -> Case:
        """A softmax before the loss in validation only."""
        return watched(
            lambda: classifier(validate=lambda bench: _validate(bench, through=True), steps=60),
            "softmax before the loss, in validation only",
        )

    @classmethod
    def well(cls) -> Case:
        """The loss of the logits, and the probabilities for a log."""
        return watched(lambda: classifier(validate=lambda bench: _validate(bench, through=False), steps=60), "probabilities are only shown")


def _validate(bench: Bench, *, through: bool) -> None:
    bench.model.eval()
    with torch.no_grad():
        for x, y in bench.val_loader:
            outputs = bench.model(x)
            probabilities = outputs.softmax(1)
            bench.loss_fn(probabilities if through else outputs, y)
    bench.model.train()
