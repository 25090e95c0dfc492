"""A short training from the start with the rate that makes up for a loss many times the size of the mean, or a fraction of it."""

from __future__ import annotations

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Trial, scale_lr
from leadline.doctor.signals.learning import Learning
from leadline.doctor.signals.loss_scale import LossScale

MUCH = 8.0  # times the mean: less is a weight of a loss term that somebody chose
LITTLE = 1 / 16  # of the mean; a tenth is a common weight of a term
MOMENTS = 6
TRIES = 3  # of the replay per training
SLOW = 0.1  # of the loss: whoever fell further in the whole run learns


def is_odd(scale: LossScale) -> bool:
    """Whether the factor is far from that of the mean."""
    return not LITTLE < scale.factor < MUCH


def measure(scene: Scene) -> Trial:
    """Raises NotExamined where the scale is usual or training goes well."""
    scale: LossScale = Evidence(scene)["loss_scale"]
    learning: Learning = Evidence(scene)["learning"]
    if not is_odd(scale):
        raise NotExamined("the loss has the scale of the batch's mean")
    slow = scale.factor < 1 and learning.verdict == "learning" and learning.first - learning.last < SLOW * abs(learning.first)
    if not learning.is_bad and not slow:
        raise NotExamined("training goes well with the loss as it is")
    tried = scene.kept.get("rescaled_tries", 0)
    if tried >= TRIES:
        raise NotExamined("it was tried before and made no difference")
    scene.kept["rescaled_tries"] = tried + 1
    name = f"the learning rate divided by {scale.factor:.3g}, as for the mean"
    return scene.lab.trial(name, scale_lr(1 / scale.factor), scene.moments[:MOMENTS], from_start=True)
