"""Class weights of the loss against how often the classes occur in the data heard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene

ROWS = 64  # labels below which frequencies say nothing


@dataclass(frozen=True)
class ClassWeights:
    """weights, shares: by class, of the classes that occur and weigh something. positive: for a pos_weight, the share of ones."""

    weights: tuple[float, ...]
    shares: tuple[float, ...]
    positive: float | None
    step: int

    @property
    def spread(self) -> float:
        """The most frequent class against the rarest."""
        return max(self.shares) / min(self.shares)

    @property
    def weighted_spread(self) -> float:
        """The same of frequency times weight: 1 where the weights make up for the frequencies."""
        products = [weight * share for weight, share in zip(self.weights, self.shares, strict=True)]
        return max(products) / min(products)

    @property
    def agreement(self) -> float:
        """Correlation of log weight and log frequency: -1 where rare classes weigh most, as they should."""
        pairs = torch.tensor([self.weights, self.shares], dtype=torch.float64).log()
        steady = bool((pairs.std(1) < 1e-9).any()) or pairs.shape[1] < 2
        return 0.0 if steady else float(torch.corrcoef(pairs)[0, 1])


def measure(scene: Scene) -> ClassWeights:
    """Raises NotExamined where the loss has no class weights or few labels were heard."""
    call = scene.last.loss
    if call is None or call.target is None:
        raise NotExamined("no loss call was heard")
    weight, positive = call.options.get("weight"), call.options.get("pos_weight")
    targets = torch.cat([t for m in scene.moments for c in m.losses if c.name == call.name and (t := _labels(c.target)) is not None])
    if len(targets) < ROWS:
        raise NotExamined("too few labels were heard")
    if isinstance(weight, Tensor) and call.name in ("cross_entropy", "nll_loss"):
        targets = targets[targets != int(call.options.get("ignore_index", -100))].long()
        counts = torch.bincount(targets.clamp_min(0), minlength=len(weight)).double()[: len(weight)]
        counts = torch.where(counts > 0, counts, torch.zeros_like(counts))
        kept = (counts > 0) & (weight.detach().cpu() > 0)
        if int(kept.sum()) < 2:
            raise NotExamined("fewer than two weighted classes were heard")
        shares = counts[kept] / counts.sum()
        return ClassWeights(tuple(weight.detach().cpu().double()[kept].tolist()), tuple(shares.tolist()), None, scene.last.step)
    if isinstance(positive, Tensor) and positive.numel() == 1:
        share = float(targets.double().mean())
        if not 0 < share < 1:
            raise NotExamined("only one of two labels was heard")
        return ClassWeights((1.0, float(positive)), (1 - share, share), share, scene.last.step)
    raise NotExamined("the loss has no class weights")


def _labels(target: Tensor | None) -> Tensor | None:
    """Class numbers, or zeros and ones, flat and on the host."""
    if target is None or (target.is_floating_point() and not bool(((target == 0) | (target == 1)).all())):
        return None
    return target.detach().flatten().cpu().double()
