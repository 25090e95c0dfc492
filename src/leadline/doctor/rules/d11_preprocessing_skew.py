"""D11: training and validation rows are prepared differently."""

from __future__ import annotations

import torch

from leadline.doctor.bench import blobs, checked, classifier, loader
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.val_skew import ValSkew
from leadline.record.finding import Finding


class PreprocessingSkew(Rule):
    """Validation rows went through other preparation than training rows, so the network meets inputs it never saw.

    What it sees: means of the input features that lie far apart between the splits, or deviations that differ by more than a factor of two,
    together with a validation loss no better than a constant answer's, or three times the training loss.
    Why it hurts: what was learnt holds for the one scale; on the other the answers are arbitrary.
    What to do: use the same Normalize, statistics and colour order for both; keep random augmentation to training and mild.
    When it is wrong: splits by time or by place differ in truth; then the score is honest, and the warning says why it is low.
    """

    code, cause, title = "D11", "train_eval_skew", "Validation rows are prepared differently"
    needs = ("val_skew",)
    after, kind = 20, "experiment"

    def examine(self, evidence: Evidence) -> Finding | None:
        """A large difference of moments that hurts."""
        seen: ValSkew = evidence["val_skew"]
        if not seen.is_large or not (seen.val_loss >= seen.reference or seen.val_loss != seen.val_loss):
            return None
        return self.found(
            f"validation inputs have mean {seen.means[1]:.3g} and deviation {seen.stds[1]:.3g}, training inputs "
            f"{seen.means[0]:.3g} and {seen.stds[0]:.3g}; "
            f"the validation loss is {seen.val_loss:.4g}",
            control="give validation the same scaling as training (the same Normalize with the training part's statistics)",
            severity="error" if seen.is_gross else "warning",
            confidence="confirmed" if seen.is_gross else "suspected",
            where="validation data",
            evidence={"shift": seen.shift, "ratio": seen.ratio, "val_loss": seen.val_loss},
        )

    @classmethod
    def sick(cls) -> Case:
        """Validation as bytes."""
        x, y = blobs()
        val = loader((x[384:] + 1) * 127.5, y[384:], shuffle=False)
        return checked(lambda: classifier(loader=loader(x[:384], y[:384]), val_loader=val), "validation rows are not standardised")

    @classmethod
    def well(cls) -> Case:
        """Noise is added to training rows only."""
        x, y = blobs()
        noisy = x[:384] + torch.randn(384, 8, generator=torch.Generator().manual_seed(3))
        return checked(
            lambda: classifier(loader=loader(noisy, y[:384]), val_loader=loader(x[384:], y[384:], shuffle=False)),
            "training rows carry noise, on purpose",
        )
