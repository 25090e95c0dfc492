"""What the network itself was given: the floating-point inputs of the recorded steps, and their scale feature by feature."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene


@dataclass(frozen=True)
class InputsSeen:
    """x: distinct recorded first inputs joined, on the host. mean, std: per feature (columns, channels of pictures, features of sequences).
    axis: where features lie. finite: whether all are finite (statistics are over the finite ones).
    """

    x: Tensor
    mean: Tensor
    std: Tensor
    axis: int
    finite: bool

    @property
    def spread(self) -> float:
        """Deviation over all."""
        return float(self.x[torch.isfinite(self.x)].double().std())

    def standardised(self, x: Tensor) -> Tensor:
        """`x` with these means and deviations taken off, feature by feature; features that never change stay 0."""
        shape = [1] * x.ndim
        shape[self.axis] = -1
        scale = torch.where(self.std > 1e-8 * self.mean.abs().clamp_min(1e-30), self.std, torch.ones_like(self.std))
        mean, scale = (t.to(x.device, torch.float64).reshape(shape) for t in (self.mean, scale))
        return ((x.double() - mean) / scale).to(x.dtype)


def measure(scene: Scene) -> InputsSeen:
    """Raises NotExamined where the network's first input is not floating-point data. Kept until twice as many steps were recorded."""
    key = (len(scene.moments), "nonfinite_at" in scene.kept)
    known = scene.kept.get("inputs_seen_at")
    if known is None or key[0] >= 2 * known[0][0] or key[1] != known[0][1]:
        known = (key, _measured(scene))
        scene.kept["inputs_seen_at"] = known
    return known[1]


def _measured(scene: Scene) -> InputsSeen:
    found: list[Tensor] = []
    for moment in scene.moments:
        x = next(iter(moment.inputs), None)
        if x is None or not x.is_floating_point() or x.ndim < 2:
            raise NotExamined("the network's first input is not a batch of numbers")
        if not found or x.shape[1:] == found[0].shape[1:]:
            found.append(x.detach().cpu().float())
    if not found:
        raise NotExamined("no step was recorded yet")
    distinct = [x for n, x in enumerate(found) if not any(x.shape == other.shape and torch.equal(x, other) for other in found[:n])]
    x = torch.cat(distinct)
    axis = 1 if x.ndim == 4 else x.ndim - 1  # NCHW; else the last: NF, NTF
    columns = x.movedim(axis, 0).reshape(x.shape[axis], -1).double()
    known = torch.isfinite(columns)
    clean = torch.where(known, columns, torch.zeros_like(columns))
    count = known.sum(1).clamp_min(1)
    mean = clean.sum(1) / count
    std = (torch.where(known, columns - mean[:, None], torch.zeros_like(columns)).square().sum(1) / count).sqrt()
    return InputsSeen(x, mean, std, axis, bool(known.all()))
