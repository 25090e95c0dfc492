"""Whether one input column alone tells the target, while the others do not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.rows import Rows, labels_of, numbers_of

FEWEST = 60
EXACT = 0.995  # share of a column's variance that the target accounts for: nature's best columns stay below 0.96
ORDINARY = 0.9  # what other columns must stay below: well parted clouds have many such columns


@dataclass(frozen=True)
class LeakColumn:
    """columns: those that the target accounts for almost wholly (at most a tenth of all). told: that share for the first. others: for
    the best
    of the rest. kind: "classes" or "numbers".
    """

    columns: tuple[int, ...]
    told: float
    others: float
    kind: str


def measure(scene: Scene) -> LeakColumn:
    """Raises NotExamined. Kept until twice as many rows were heard."""
    rows: Rows = Evidence(scene)["rows"]
    known = scene.kept.get("leak_column_at")
    if known is None or len(rows.x) >= 2 * known[0]:
        known = (len(rows.x), _measured(rows))
        scene.kept["leak_column_at"] = known
    return known[1]


def _measured(rows: Rows) -> LeakColumn:
    if not rows.x.is_floating_point() or rows.x.ndim < 2 or rows.x[0].numel() < 2 or rows.is_reconstruction:
        raise NotExamined("the inputs are not columns of numbers")
    labels, numbers = labels_of(rows.y), numbers_of(rows.y)
    if (labels is None and numbers is None) or len(rows.x) < FEWEST:
        raise NotExamined("targets are not one class or number a row")
    x = rows.x.reshape(len(rows.x), -1)[:, :4096].double()
    keep = labels >= 0 if labels is not None else torch.ones(len(x), dtype=torch.bool)
    x = x[keep]
    if labels is not None and (len(labels[keep].unique()) < 2 or len(labels[keep].unique()) > len(x) / 5):
        raise NotExamined("too few rows a class")
    told = _by_class(x, labels[keep]) if labels is not None else _by_number(x, numbers[keep])  # type: ignore[index]
    leaks = (told > EXACT).nonzero().flatten()
    rest = told[told <= EXACT]
    others = float(rest.max()) if len(rest) else 1.0
    few = 0 < len(leaks) <= max(1, x.shape[1] // 10) and x.shape[1] >= (2 if labels is not None else 4)
    if not few or others > ORDINARY:
        return LeakColumn((), float(told.max()), others, "")
    best = leaks[told[leaks].argsort(descending=True)]
    return LeakColumn(tuple(best[:8].tolist()), float(told.max()), others, "classes" if labels is not None else "numbers")


def _by_class(x: Tensor, labels: Tensor) -> Tensor:
    """Between-class share of each column's variance (eta squared); a column whose class means are not all different does not count."""
    names, codes = labels.unique(return_inverse=True)
    sums = torch.zeros(len(names), x.shape[1], dtype=torch.float64).index_add_(0, codes, x)
    counts = torch.bincount(codes).double()[:, None]
    means = sums / counts
    total = (x - x.mean(0)).square().sum(0)
    between = (counts * (means - x.mean(0)).square()).sum(0)
    return torch.where(total > 1e-12 * len(x), between / total.clamp_min(1e-30), torch.zeros_like(total))


def _by_number(x: Tensor, y: Tensor) -> Tensor:
    a, b = x - x.mean(0), (y - y.mean())[:, None]
    return ((a * b).sum(0) / (a.norm(dim=0) * b.norm()).clamp_min(1e-12)).square()
