"""How the rare classes fare: how often the network names them on recorded batches, once its loss has settled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.learning import Learning
from leadline.doctor.signals.pair import BINARY_LOSSES, Pair, pair_of
from leadline.doctor.signals.rows import Rows, labels_of

TIMES = 10  # as many rows of the commonest class for one of a rare class
FEWEST = 10  # rows of rare classes among the recorded batches
SETTLED = 0.05  # a fall of the loss over the last third below this share: it has settled
LATEST = 8  # recorded steps asked


@dataclass(frozen=True)
class RareClasses:
    """rare: class numbers; share: of the rows. found, common_found: recall of rare and common classes on the latest recorded batches.
    handled:
    a class weight or a weighted sampler is at work. settled: the loss no longer falls.
    """

    rare: tuple[int, ...]
    share: float
    found: float
    common_found: float
    rows: int
    handled: bool
    settled: bool


def measure(scene: Scene) -> RareClasses:
    """Raises NotExamined where targets are not one class a row."""
    evidence = Evidence(scene)
    rows: Rows = evidence["rows"]
    labels = labels_of(rows.y)
    pair: Pair = evidence["pair"]
    if labels is None or pair.kind not in ("classes", "binary") or pair.targets.ndim > 2 or len(pair.targets) != pair.targets.numel():
        raise NotExamined("targets are not one class a row")
    names, counts = labels[labels >= 0].unique(return_counts=True)
    few = names[counts * TIMES <= int(counts.max())] if len(names) > 1 else names[:0]
    share = float(torch.isin(labels, few).double().mean())
    if not len(few) or len(names) > 100:
        return RareClasses((), share, 1.0, 1.0, 0, False, False)
    return _asked(scene, few, pair, share=share)


def _asked(scene: Scene, few: Tensor, pair: Pair, *, share: float) -> RareClasses:
    learning: Learning = Evidence(scene)["learning"]
    answers: list[Tensor] = []
    truths: list[Tensor] = []
    for moment in scene.moments[-LATEST:]:
        each = pair_of(moment)
        answers.append(_answers(each))
        truths.append(each.targets.flatten().long())
    answer, truth = torch.cat(answers), torch.cat(truths)
    is_rare = torch.isin(truth, few)
    right = (answer == truth).double()
    handled = pair.options.get("weight") is not None or pair.options.get("pos_weight") is not None or _is_weighted(scene)
    found = float(right[is_rare].mean()) if bool(is_rare.any()) else 1.0
    return RareClasses(
        tuple(few.tolist()), share, found, float(right[~is_rare].mean()), int(is_rare.sum()), handled, _has_settled(learning)
    )


def _answers(pair: Pair) -> Tensor:
    if pair.kind == "classes":
        if pair.outputs.ndim != 2:
            raise NotExamined("there is not one answer a row")
        return pair.outputs.argmax(1)
    limit = 0.0 if "logits" in pair.loss or pair.loss not in BINARY_LOSSES[:2] else 0.5
    return (pair.outputs.flatten() > limit).long()


def _is_weighted(scene: Scene) -> bool:
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    name = type(getattr(sample.loader, "sampler", None)).__name__ if sample is not None else ""
    return name not in ("RandomSampler", "SequentialSampler", "NoneType")


def _has_settled(learning: Learning) -> bool:
    third = len(learning.values) // 3
    if third < 20:
        return False
    series = torch.tensor(learning.values, dtype=torch.float64)
    middle, last = float(series[third : 2 * third].mean()), float(series[2 * third :].mean())
    return last > (1 - SETTLED) * middle
