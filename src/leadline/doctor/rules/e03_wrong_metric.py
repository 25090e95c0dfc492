"""E03: the validation metric is computed over the wrong axis, or compares every row with every row."""

from __future__ import annotations

import torch

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class WrongMetric(Rule):
    """The number that is shown as accuracy (or error) is not the accuracy: argmax over the batch, or (N, 1) compared with (N,).

    What it sees: the operations of the validation code on the network's outputs: a choice over axis 0 of outputs (rows, classes) that is
    then compared with something; or a comparison or difference of outputs and targets of as many numbers and other shapes, which
    broadcasting makes N x N.
    Why it hurts: the number says nothing about the network, and model selection and early stopping follow it.
    What to do: outputs.argmax(1) (dim=-1); targets and predictions of the same shape before == or minus.
    When it is wrong: pairwise comparisons written out as (N, 1) with (1, N), and choices in similarity matrices, are not named.
    """

    code, cause, title = "E03", "wrong_metric", "A metric over the wrong numbers"
    needs = ("val_script",)
    explained_by = ("L04",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A wrong axis, or broadcasting, in the recorded validation code."""
        metric = evidence["val_script"].metric
        if metric is None:
            return None
        if metric.what == "axis":
            text = f"{metric.operation} runs over axis 0 of the outputs {metric.shapes[0]}: over the rows instead of the classes"
            control = f"{metric.operation} over the class axis: outputs.{metric.operation}(1), or dim=-1"
        else:
            text = f"outputs and targets of shapes {metric.shapes[0]} and {metric.shapes[1]} are compared, everyone with everyone"
            control = "bring both to the same shape first: outputs.squeeze(1), or targets.unsqueeze(1)"
        return self.found(
            f"in the validation code {text}, so the metric is not what it is called",
            control=control,
            step=evidence["val_script"].step,
            evidence={"operation": metric.operation, "shapes": [list(shape) for shape in metric.shapes]},
        )

    @classmethod
    def sick(cls) -> Case:
        """argmax(0)."""

        def validate(bench: Bench) -> None:
            bench.model.eval()
            with torch.no_grad():
                for x, y in bench.val_loader:
                    guess = bench.model(x).argmax(0)
                    (guess == y[: len(guess)]).float().mean().item()
            bench.model.train()

        return watched(lambda: classifier(validate=validate, steps=60), "argmax over the rows of the batch")

    @classmethod
    def well(cls) -> Case:
        """argmax(1), and the largest probability of each class over the batch for a log."""

        def validate(bench: Bench) -> None:
            bench.model.eval()
            with torch.no_grad():
                for x, y in bench.val_loader:
                    outputs = bench.model(x)
                    outputs.softmax(1).max(0).values.tolist()
                    (outputs.argmax(1) == y).float().mean().item()
            bench.model.train()

        return watched(lambda: classifier(validate=validate, steps=60), "accuracy by argmax over the classes")
