"""E01: validation runs in training mode, or dropout and noise stay on in eval mode."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, convnet, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class EvalInTrainMode(Rule):
    """The network is measured with dropout masks drawn and batch norm taking the batch's own statistics.

    What it sees: a validation pass (no gradients, other data than training's) with the network in training mode, where it has modules that
    mind; or two passes of the same inputs in eval mode on a copy that differ, because a dropout takes no notice of the mode.
    Why it hurts: the scores are too low and change from pass to pass, and batch norm learns from the validation data.
    What to do: model.eval() before validating and model.train() after; F.dropout(x, p, training=self.training) in forward.
    When it is wrong: averaging over dropout masks (the same inputs asked several times), variational sampling and generators of an
    adversary are left alone.
    """

    code, cause, title = "E01", "eval_in_train_mode", "Validated in training mode"
    needs = ("val_passes", "eval_twice")

    def examine(self, evidence: Evidence) -> Finding | None:
        """A pass in training mode, or two passes in eval mode that differ."""
        repeated = False
        try:
            passes = evidence["val_passes"]
        except NotExamined:
            passes = None
        if passes is not None and passes.minding:
            repeated = passes.repeated
            if passes.training and not repeated:
                shown = ", ".join(passes.minding[:3])
                return self.found(
                    f"{passes.training} of {passes.heard} validation passes heard ran with the network in training mode, where {shown} "
                    "compute otherwise than in eval mode",
                    control="call model.eval() before validating, and model.train() after it",
                    step=passes.step,
                    evidence={"passes": passes.heard, "in_training_mode": passes.training, "modules": list(passes.minding[:20])},
                )
        twice = evidence["eval_twice"]
        if twice.answer == "yes" or twice.by not in ("dropout", "noise") or repeated:
            return None
        drops = twice.by == "dropout"
        control = "F.dropout(x, p, training=self.training), or nn.Dropout" if drops else "add the noise only if self.training"
        return self.found(
            twice.in_words, control=control, severity="warning", step=twice.step, evidence={"differs": twice.differs, "by": twice.by}
        )

    @classmethod
    def sick(cls) -> Case:
        """Validation without eval()."""

        def validate(bench: Bench) -> None:
            with torch.no_grad():
                for x, y in bench.val_loader:
                    bench.loss_fn(bench.model(x), y)

        return watched(lambda: convnet(validate=validate, steps=60), "model.eval() is not called before validation")

    @classmethod
    def well(cls) -> Case:
        """A variational bottleneck, which draws in eval mode too."""

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body, self.head = nn.Linear(64, 16), nn.Linear(8, 3)

            def forward(self, x: Tensor) -> Tensor:
                mean, logvar = self.body(x.flatten(1)).relu().chunk(2, 1)
                return self.head(mean + (0.1 * logvar - 1).exp() * torch.randn_like(mean))

        return watched(lambda: convnet(model=Net()), "draws with a learnt spread, in every mode")
