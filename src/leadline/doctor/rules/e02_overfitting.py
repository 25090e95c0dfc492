"""E02: the validation loss rises while the training loss goes on falling."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

SIGMAS = 4.0  # of the noise between passes
MATERIAL = 0.15  # of the fall of the validation loss since the start: less is the slight rise that sound long runs end with
STILL_FALLS = 0.1  # of the training loss


class Overfitting(Rule):
    """The network learns its training rows by heart: on rows it has not seen it gets worse.

    What it sees: the mean loss of each validation pass: the latest lie above the best by far more than passes differ by chance, and by a
    material share of all that was won, while the training loss has fallen further.
    Why it hurts: every further epoch makes the network worse where it counts.
    What to do: keep the weights of the best pass (early stopping); more data or augmentation, weight decay, dropout, a smaller network.
    When it is wrong: a slight rise at the end of a sound run, and a loss that rises while the accuracy still grows a little, stay below
    the limits; a schedule that makes the loss larger (a growing KL weight) raises the training loss too.
    """

    code, cause, title = "E02", "overfitting", "Learnt by heart"
    needs = ("overfit",)
    kind = "lead"
    explained_by = ("D03", "D05", "E01", "E05", "D11", "T05", "M13", "O01", "D06", "N01")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Two passes or more after the best, well above it, and training goes on falling."""
        seen = evidence["overfit"]
        if seen.since < 2 or seen.fall <= 0 or seen.train_fall < STILL_FALLS:
            return None
        lowest = seen.validation[seen.best]
        material = seen.rise >= max(MATERIAL * seen.fall, SIGMAS * seen.noise)
        if not material or min(seen.validation[-2:]) <= lowest + seen.rise / 3:
            return None
        return self.found(
            f"the validation loss was best at {lowest:.4g} after step {seen.steps[seen.best]} and has risen to "
            f"{seen.validation[-1]:.4g} since, while the training loss went {seen.training[seen.best]:.4g} -> {seen.training[-1]:.4g}",
            control=f"stop early and keep the weights of step {seen.steps[seen.best]}; more data, augmentation, weight decay or dropout",
            severity="warning",
            step=seen.steps[seen.best],
            evidence={"validation": list(seen.validation), "training": list(seen.training), "steps": list(seen.steps)},
        )

    @classmethod
    def sick(cls) -> Case:
        """Forty rows that overlap, a wide network, many epochs."""
        return watched(lambda: _few(40), "forty rows and a wide network")

    @classmethod
    def well(cls) -> Case:
        """Enough rows."""
        return watched(lambda: _few(1500), "enough rows, validated as often")


def _few(rows: int) -> Bench:
    torch.manual_seed(0)
    x, y = blobs(rows + 512, spread=2.5)
    model = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 3))
    seen = iter(range(10_000))

    def validate(bench: Bench) -> None:
        if rows < 100 and next(seen) % 5:
            return
        bench.model.eval()
        with torch.no_grad():
            for batch, target in bench.val_loader:
                bench.loss_fn(bench.model(batch), target)
        bench.model.train()

    data, val = loader(x[:rows], y[:rows]), loader(x[rows:], y[rows:], batch_size=512, shuffle=False)
    return classifier(model=model, loader=data, val_loader=val, steps=200, validate=validate)
