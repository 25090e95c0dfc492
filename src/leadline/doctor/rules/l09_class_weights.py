"""L09: the class weights of the loss favour the classes that are frequent anyway, or all but silence some."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from leadline.doctor.bench import Bench, blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.class_weights import ClassWeights
from leadline.record.finding import Finding

UNEVEN = 2.0  # the most frequent class against the rarest: below it there is nothing to weigh
WORSE = 3.0  # times as uneven with the weights as without: rounding and smoothing of counts stay below
SILENCED = 100.0  # between weights of classes that occur alike: weights of chosen importance stay below
FAVOUR = 0.5  # correlation of weight and frequency


class ClassWeightsInverted(Rule):
    """Weights meant to help rare classes help the frequent ones: the inverse was forgotten, or the order of classes is another one.

    What it sees: the weight (or pos_weight) given to the loss call beside the labels' frequencies in the recorded batches: weights that
    grow with the frequency and make the classes' shares in the loss much more uneven than they are without; or weights a hundred times
    apart for classes that occur alike.
    Why it hurts: the classes with next to no share in the loss are hardly ever answered.
    What to do: weight = counts.sum() / (num_classes * counts), in the order of the class numbers; pos_weight = negatives / positives.
    When it is wrong: weights that follow importance instead of frequency; below the limits above nothing is said. Classes of weight 0 are
    taken for switched off on purpose.
    """

    code, cause, title = "L09", "class_weights", "Class weights the wrong way round"
    needs = ("class_weights",)
    after = 2
    explained_by = ("D04",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Weights that go with the frequencies instead of against them."""
        given = evidence["class_weights"]
        why = _why(given)
        if why is None:
            return None
        return self.found(
            f"the loss's class weights {why}: frequency times weight differs {given.weighted_spread:.3g}-fold between classes "
            f"(frequency alone {given.spread:.3g}-fold)",
            control="pos_weight = negatives / positives"
            if given.positive is not None
            else "weight = counts.sum() / (num_classes * counts)",
            step=given.step,
            evidence={"weights": list(given.weights[:20]), "shares": list(given.shares[:20]), "correlation": given.agreement},
        )

    @classmethod
    def sick(cls) -> Case:
        """Weights in proportion to the counts."""
        return watched(lambda: _thin(lambda counts: counts / counts.mean()), "weights in proportion to the counts")

    @classmethod
    def well(cls) -> Case:
        """Inverse counts."""
        return watched(lambda: _thin(lambda counts: counts.mean() / counts), "rare classes weigh more")


def _thin(weights) -> Bench:
    """A classifier of which one class is rare."""
    x, y = blobs(768, spread=0.5)
    kept = (y != 0) | (torch.arange(len(y)) % 5 == 0)
    data: DataLoader[tuple[Tensor, ...]] = loader(x[kept], y[kept])
    counts = torch.bincount(y[kept], minlength=3).float()
    return classifier(loader=data, loss_fn=nn.CrossEntropyLoss(weight=weights(counts)))


def _why(given: ClassWeights) -> str | None:
    """What is wrong with the weights, in words."""
    worse = given.weighted_spread / given.spread
    if given.spread >= UNEVEN and worse >= WORSE and given.agreement > FAVOUR:
        return "favour the frequent classes"
    if given.spread < UNEVEN and max(given.weights) / min(given.weights) >= SILENCED:
        return "all but silence some classes that occur as often as the others"
    return None
