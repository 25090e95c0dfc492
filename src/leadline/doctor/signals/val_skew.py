"""Whether validation rows were prepared like training rows: their means and deviations side by side, and whether it hurts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.generalises import Generalises
from leadline.doctor.signals.rows import Rows, flat

SHIFT, RATIO = 0.75, 2.0  # in training deviations, and of deviations: mild augmentation stays within
FEWEST = 30  # rows in each split


@dataclass(frozen=True)
class ValSkew:
    """shift: mean distance of the features' means in training deviations. ratio: of deviations, validation to training (median of
    features).
    means, stds: over all, training and validation. val_loss, reference: validation loss, and what a constant answer reaches.
    """

    shift: float
    ratio: float
    means: tuple[float, float]
    stds: tuple[float, float]
    val_loss: float
    reference: float

    @property
    def is_large(self) -> bool:
        """Beyond what augmentation and chance bring."""
        return self.shift > SHIFT or self.ratio > RATIO or self.ratio < 1 / RATIO

    @property
    def is_gross(self) -> bool:
        """No augmentation goes so far."""
        return self.shift > 3 or self.ratio > 5 or self.ratio < 0.2


def measure(scene: Scene) -> ValSkew:
    """Raises NotExamined where the splits cannot be compared, or no validation loss was heard."""
    evidence = Evidence(scene)
    rows: Rows = evidence["rows"]
    val: Rows = evidence["val_rows"]
    if not rows.x.is_floating_point() or rows.x.ndim < 2 or min(len(rows.x), len(val.x)) < FEWEST or rows.x.shape[2:] != val.x.shape[2:]:
        raise NotExamined("training and validation inputs are not rows of numbers alike")
    key = (len(rows.x), len(val.x))
    if scene.kept.get("val_skew_at", (None,))[0] != key:
        scene.kept["val_skew_at"] = (key, _moments(rows.x, val.x))
    shift, ratio, means, stds = scene.kept["val_skew_at"][1]
    if not shift > SHIFT and 1 / RATIO <= ratio <= RATIO:
        return ValSkew(shift, ratio, means, stds, 0.0, 1.0)
    fresh: Generalises = evidence["generalises"]
    if fresh.source != "validation":
        raise NotExamined("no validation loss was heard")
    return ValSkew(shift, ratio, means, stds, fresh.fresh, min(fresh.trivial, 3 * max(fresh.train, 0.1 * fresh.trivial)))


def _moments(a: Tensor, b: Tensor) -> tuple[float, float, tuple[float, float], tuple[float, float]]:
    a, b = (_columns(x).double() for x in (a, b))
    a, b = (x[torch.isfinite(x).all(1)] for x in (a, b))
    if min(len(a), len(b)) < FEWEST:
        return 0.0, 1.0, (0.0, 0.0), (1.0, 1.0)
    std_a, std_b = a.std(0), b.std(0)
    alive = std_a > 0.1 * float(std_a.median()) + 1e-12
    if not bool(alive.any()):
        return 0.0, 1.0, (0.0, 0.0), (1.0, 1.0)
    shift = ((a.mean(0) - b.mean(0)).abs() / std_a.clamp_min(1e-12))[alive].mean()
    ratio = (std_b / std_a.clamp_min(1e-12))[alive].median()
    return float(shift), float(ratio), (float(a.mean()), float(b.mean())), (float(a.std()), float(b.std()))


def _columns(x: Tensor) -> Tensor:
    """Features as columns: channels of pictures over all pixels, features of sequences over all times."""
    if x.ndim == 4:
        return x[:, :, ::2, ::2].movedim(1, -1).reshape(-1, x.shape[1])
    return x.reshape(-1, x.shape[-1]) if x.ndim == 3 else flat(x)
