"""MixUp (Zhang et al. 2018) and CutMix (Yun et al. 2019): each image blended with, or patched from, another of the same step's batch.

What is drawn belongs to the whole step's batch, over all processes, so that two processes mix what one would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from leadline.data.random import generator
from leadline.data.settings import AugmentSpec


@dataclass(frozen=True)
class Mixing:
    """partner: (B,) position in the step's batch; kept: (B,) the share an image keeps of itself; box: (B, 4) or None.

    With a box (top, bottom, left, right) the partner's pixels stand inside it; without one the two images are blended.
    """

    partner: np.ndarray
    kept: np.ndarray
    box: np.ndarray | None

    def part(self, begin: int, end: int) -> Mixing:
        """The mixing of some neighbouring positions: one process's share."""
        return Mixing(self.partner[begin:end], self.kept[begin:end], None if self.box is None else self.box[begin:end])


def draw(spec: AugmentSpec, shape: tuple[int, int], *, seed: int, epoch: int, step: int, size: int) -> Mixing:
    """The mixing of one step's batch of `size` images of (height, width): one kind per step, partners and shares per image."""
    chance = generator(seed, epoch, purpose="mix", step=step)
    is_cut = chance.random() < 0.5 if spec.mixup and spec.cutmix else spec.cutmix > 0
    partner = chance.permutation(size)
    alpha = spec.cutmix if is_cut else spec.mixup
    kept = chance.beta(alpha, alpha, size)
    if not is_cut:
        return Mixing(partner, kept, None)
    half = np.sqrt(1 - kept)[:, None] * np.array(shape) / 2
    middle = chance.random((size, 2)) * np.array(shape)
    low = np.round(np.clip(middle - half, 0, shape)).astype(np.int64)
    high = np.round(np.clip(middle + half, 0, shape)).astype(np.int64)
    covered = (high - low).prod(1) / (shape[0] * shape[1])
    return Mixing(partner, 1 - covered, np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1))


def mix_images(images: Tensor, others: Tensor, mixing: Mixing) -> Tensor:
    """(B, C, H, W) of the images' own type for CutMix, float32 for MixUp."""
    if mixing.box is None:
        share = torch.from_numpy(mixing.kept.astype(np.float32)).to(images.device)[:, None, None, None]
        return images * share + others * (1 - share)
    top, bottom, left, right = torch.from_numpy(mixing.box).to(images.device).T[:, :, None, None]
    y = torch.arange(images.shape[2], device=images.device)[:, None]
    x = torch.arange(images.shape[3], device=images.device)
    inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    return torch.where(inside[:, None], others, images)


def mix_targets(target: Tensor, others: Tensor, mixing: Mixing, *, num_classes: int | None) -> Tensor:
    """(B, num_classes) float32 shares of classes that sum to 1; numbers (num_classes None) are blended as they are."""
    share = torch.from_numpy(mixing.kept.astype(np.float32)).to(target.device)
    if num_classes is not None:
        target, others = (one_hot(codes, num_classes).to(torch.float32) for codes in (target, others))
    share = share.reshape(-1, *[1] * (target.dim() - 1))
    return target * share + others * (1 - share)
