"""Whether neighbours in the inputs share their targets, by several distances, and whether they would under another alignment of the
files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.rows import Rows, flat, inner_dataset, labels_of, numbers_of, stored

ROWS = 1024  # compared with each other
FEWEST = 60  # rows below which chance is too wide
NEAR = 5  # neighbours asked
SHIFTS = (1, -1, 2, -2, 3, -3)
CHANCE, PLAIN = 3.0, 8.0  # deviations: below is chance, above is no accident
STRUCTURE = 0.8  # one half of the columns tells the other: distance there between neighbours here, against any two rows


@dataclass(frozen=True)
class Neighbours:
    """score: agreement of neighbours' targets in standard deviations above chance, by the best distance. shift, shifted: the best other
    alignment of targets in the order of the data set, and its score (0, 0.0: not asked or none better). structure: how far apart neighbours
    by one half of the columns are in the other half (1: as far as any two rows, so the columns are independent). noise: pictures without
    any likeness of neighbouring pixels.
    """

    score: float
    shift: int
    shifted: float
    structure: float
    rows: int
    noise: bool

    @property
    def is_chance(self) -> bool:
        """No distance finds any relation."""
        return self.score < CHANCE

    @property
    def is_shifted(self) -> bool:
        """Another alignment is plainly the right one."""
        return self.shift != 0 and self.shifted > PLAIN and self.shifted > 3 * max(self.score, 1.0)


def measure(scene: Scene) -> Neighbours:
    """Raises NotExamined. Kept until twice as many rows were heard."""
    rows: Rows = Evidence(scene)["rows"]
    known = scene.kept.get("neighbours_at")
    if known is not None and len(rows.x) < 2 * known[0]:
        return known[1]
    found = _measured(scene, rows)
    scene.kept["neighbours_at"] = (len(rows.x), found)
    return found


def _measured(scene: Scene, rows: Rows) -> Neighbours:
    x, y = rows.x, rows.y
    target = _target(y)
    if target is None or len(target) != len(x):
        raise NotExamined("targets are not one class or number a row")
    known = target >= 0 if target.dtype == torch.long else torch.isfinite(target)
    x, target = x[known][:ROWS], target[known][:ROWS]
    if len(x) < FEWEST or len(target.unique()) < 2 or (x.is_floating_point() and not bool(torch.isfinite(x).all())):
        raise NotExamined("too few rows were heard to compare neighbours")
    score = max(agreement(view, target) for view in views(x))
    shift, shifted = _best_shift(scene, rows, score) if score < CHANCE else (0, 0.0)
    return Neighbours(score, shift, shifted, _structure(x), len(x), _is_noise(x))


def _target(y: Tensor | None) -> Tensor | None:
    labels = labels_of(y)
    return labels if labels is not None else numbers_of(y)


def views(x: Tensor) -> Iterator[Tensor]:
    """Descriptions of the rows, each of which some kind of data is alike by: raw, spectrum, values without places, counts, ends."""
    if not x.is_floating_point():
        yield from _of_tokens(x)
        return
    raw = flat(x, 1024)
    yield _standard(raw)
    if x.ndim == 4:
        yield _standard(flat(torch.fft.rfft2(x.float()).abs().log1p(), 1024))
        yield _standard(flat(x.float().flatten(2).sort(2).values, 256))
    elif x.ndim == 3:
        yield _standard(flat(torch.fft.rfft(x.float(), dim=1).abs().log1p(), 1024))
        yield _standard(torch.cat([x.float().mean(1), x.float().std(1)], 1))
        yield _standard(x[:, -1].float())


def _of_tokens(x: Tensor) -> Iterator[Tensor]:
    tokens = x.reshape(len(x), -1).long()
    if int(tokens.min()) < 0 or int(tokens.max()) > 20_000:
        raise NotExamined("these whole numbers are not tokens")
    names, codes = tokens.unique(return_inverse=True)
    counts = torch.zeros(len(x), len(names)).scatter_add_(1, codes, torch.ones(codes.shape))
    yield counts
    for place in (0, -1):
        yield torch.nn.functional.one_hot(codes[:, place], len(names)).float()


def _standard(view: Tensor) -> Tensor:
    return (view - view.mean(0)) / view.std(0).clamp_min(1e-6 * float(view.std()) + 1e-12)


def agreement(view: Tensor, target: Tensor) -> float:
    """How far neighbours and a linear map tell the target above chance, in standard deviations (the better of the two)."""
    return max(_nearest(view, target), _linear(view, target))


def _nearest(view: Tensor, target: Tensor) -> float:
    apart = torch.cdist(view, view)
    apart.fill_diagonal_(torch.inf)
    near = target[apart.topk(min(NEAR, len(view) - 1), largest=False).indices]
    if target.dtype == torch.long:
        shares = target.unique(return_counts=True)[1].double() / len(target)
        chance = float(shares.square().sum())
        found = float((near == target[:, None]).double().mean())
        return (found - chance) / math.sqrt(chance * (1 - chance) / (len(target) * NEAR / 2) + 1e-12)
    return _correlation(near.double().mean(1), target) * math.sqrt(len(target))


def _linear(view: Tensor, target: Tensor) -> float:
    """A ridge map fitted on even rows, asked on odd ones."""
    wanted = torch.nn.functional.one_hot(target).double() if target.dtype == torch.long else target[:, None].double()
    if wanted.shape[1] > 200:
        return 0.0
    x = torch.cat([view.double()[:, :256], torch.ones(len(view), 1, dtype=torch.float64)], 1)
    a, b = x[::2], x[1::2]
    strength = 0.1 * len(a) * torch.eye(a.shape[1], dtype=torch.float64)
    guess = b @ torch.linalg.solve(a.T @ a + strength, a.T @ (wanted[::2] - wanted[::2].mean(0)))
    if target.dtype != torch.long:
        return _correlation(guess.flatten(), target[1::2]) * math.sqrt(len(b))
    return max(_correlation(guess[:, k], wanted[1::2, k]) for k in range(wanted.shape[1])) * math.sqrt(len(b)) - 1.0  # the best of K


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12))


def _best_shift(scene: Scene, rows: Rows, score: float) -> tuple[int, float]:
    """The alignment of targets, in the data set's own order, whose neighbours agree best."""
    if rows.heard != "loader" or rows.places[1] is None:
        return 0, 0.0
    inner, _ = inner_dataset(scene.sample.loader)
    tensors = getattr(inner, "tensors", None) if stored(scene.sample.loader) is not None else None
    if tensors is None:
        return 0, 0.0
    x, y = tensors[rows.places[0]][: ROWS + 6].cpu(), tensors[rows.places[1]][: ROWS + 6].cpu()
    target = _target(y)
    if target is None or len(x) < FEWEST + 6:
        return 0, 0.0
    inside = slice(3, len(x) - 3)
    scores = {}
    for shift in SHIFTS:
        moved = target[3 + shift : len(x) - 3 + shift]
        scores[shift] = max(agreement(view, moved) for view in views(x[inside]))
    best = max(scores, key=lambda shift: scores[shift])
    return (best, scores[best]) if scores[best] > score else (0, 0.0)


def _structure(x: Tensor) -> float:
    """1: nothing in one half of the columns tells the other half."""
    view = _standard(flat(x, 256))[:512] if x.is_floating_point() else next(_of_tokens(x[:512]))
    if view.shape[1] < 2:
        return 1.0
    here, there = view[:, ::2], view[:, 1::2]
    apart = torch.cdist(here, here)
    apart.fill_diagonal_(torch.inf)
    near = (there - there[apart.argmin(1)]).square().mean()
    usual = (there - there.roll(len(there) // 2, 0)).square().mean()
    return float(near / usual.clamp_min(1e-12))


def _is_noise(x: Tensor) -> bool:
    """Pictures whose neighbouring pixels have nothing to do with each other."""
    if x.ndim != 4 or not x.is_floating_point() or min(x.shape[2:]) < 4:
        return False
    a, b = x[..., :-1].float().flatten(), x[..., 1:].float().flatten()
    return abs(_correlation(a, b)) < 0.02 and a.numel() > 10_000
