"""How targets are spread over batches: mixed as shuffling would, or class after class, or sorted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.pair import Pair
from leadline.doctor.signals.rows import Rows, labels_of, numbers_of, stored

ENOUGH = 6  # batches: fewer tell little about an order


@dataclass(frozen=True)
class TargetOrder:
    """mixed: spread of targets within batches against what shuffling gives (1: as shuffled, 0: each batch has one). kind: "classes" or
    "numbers". one_way: share of steps between batches that go the same way, by the mean target. batches: read. classes: different ones.
    """

    mixed: float
    kind: str
    one_way: float
    batches: int
    classes: int


def measure(scene: Scene) -> TargetOrder:
    """Raises NotExamined where the loader does not go through the rows in their order, or targets are not one a row."""
    rows: Rows = Evidence(scene)["rows"]
    if rows.heard != "loader" or rows.places[1] is None:
        raise NotExamined("no loader was heard, so nobody knows whether it shuffles")
    loader = scene.sample.loader
    if not _in_order(loader):
        raise NotExamined("the loader shuffles")
    whole = stored(loader) if getattr(loader, "batch_size", None) else None
    y = whole[rows.places[1]] if whole is not None else rows.y
    batch_N = torch.arange(len(y)) // loader.batch_size if whole is not None and y is not None else rows.batch_N
    if y is None or len(batch_N.unique()) < ENOUGH:
        raise NotExamined("too few batches were heard")
    labels, numbers = labels_of(y), numbers_of(y)
    if labels is not None and _are_classes(scene, labels):
        return _of_classes(labels, batch_N)
    if numbers is None:
        raise NotExamined("targets are not one class or number a row")
    return _of_numbers(numbers, batch_N)


def _in_order(loader: Any) -> bool:
    sampler = getattr(loader, "sampler", None)
    batches = getattr(loader, "batch_sampler", None)
    plain = batches is None or type(batches).__name__ == "BatchSampler"
    return plain and (isinstance(sampler, SequentialSampler) or type(sampler).__name__ == "_InfiniteConstantSampler")


def _are_classes(scene: Scene, labels: Tensor) -> bool:
    pair: Pair = Evidence(scene)["pair"]
    return pair.kind in ("classes", "binary") and bool((labels >= 0).all()) and len(labels.unique()) < len(labels) / 4


def _of_classes(labels: Tensor, batch_N: Tensor) -> TargetOrder:
    """Mean chance that two rows of a batch differ in class, against that of any two rows."""
    names, codes = labels.unique(return_inverse=True)
    table = torch.zeros(int(batch_N.max()) + 1, len(names)).index_put_((batch_N, codes), torch.ones(len(codes)), accumulate=True)
    table = table[table.sum(1) >= 4]
    sizes = table.sum(1)
    differ = 1 - (table * (table - 1)).sum(1) / (sizes * (sizes - 1))
    shares = table.sum(0) / table.sum()
    overall = float(1 - shares.square().sum())
    middle = (table * torch.arange(len(names))).sum(1) / sizes
    return TargetOrder(float(differ.mean()) / max(overall, 1e-9) if overall else 1.0, "classes", _one_way(middle), len(table), len(names))


def _of_numbers(numbers: Tensor, batch_N: Tensor) -> TargetOrder:
    parts = [numbers[batch_N == b] for b in batch_N.unique()]
    parts = [part for part in parts if len(part) >= 4]
    within = torch.stack([part.var() for part in parts]).mean()
    steps = torch.cat([part.diff() for part in parts])
    rising, falling = float((steps >= 0).float().mean()), float((steps <= 0).float().mean())
    return TargetOrder(float(within / numbers.var().clamp_min(1e-12)), "numbers", max(rising, falling), len(parts), 0)


def _one_way(middle: Tensor) -> float:
    steps = middle.diff()
    return max(float((steps >= 0).float().mean()), float((steps <= 0).float().mean())) if len(steps) else 0.0
