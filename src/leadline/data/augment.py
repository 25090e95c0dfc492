"""Random changes of training images, in whole batches; what happens to a sample depends on (seed, epoch, index) and on nothing else."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from leadline.data import colour, geometry, masking
from leadline.data.mixing import Mixing, draw
from leadline.data.randaugment import DRAWS, randaugment
from leadline.data.random import uniforms
from leadline.data.settings import AugmentSpec

# Which of a sample's random numbers serve which change: fixed, so that switching one change on leaves the others as they were.
FLIP, CROP, SCALE, ROTATE, COLOUR, ERASE, RANDAUGMENT = 0, 1, 3, 7, 8, 11, 16
STRETCH = 4 / 3  # a random crop is at most so much wider than high, or higher than wide, as usual since Inception
ERASED = (0.02, 0.33)  # share of the area, from Random Erasing (Zhong et al. 2020)
SLENDER = 3.3  # an erased rectangle's sides differ at most by this factor, from the same paper


class Augment:
    """The changes that `spec` asks for, under one seed. Acts on stored images (B, C, H, W) uint8, in training only."""

    def __init__(self, spec: AugmentSpec, *, seed: int) -> None:
        self.spec, self.seed = spec, seed
        needs = [(spec.flip, FLIP + 1), (spec.crop, CROP + 2), (spec.scale, SCALE + 4), (spec.rotate, ROTATE + 1)]
        needs += [(spec.colour, COLOUR + 3), (spec.erase, ERASE + 5), (spec.randaugment, RANDAUGMENT + DRAWS * spec.randaugment)]
        self._draws = max((count for is_on, count in needs if is_on), default=0)

    @property
    def changes(self) -> bool:
        """Whether single images are changed."""
        return self._draws > 0 or self.masks

    @property
    def masks(self) -> bool:
        """Whether times or bands of spectrograms are blanked."""
        return self.spec.time_mask > 0 or self.spec.freq_mask > 0

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with each other."""
        return self.spec.mixup > 0 or self.spec.cutmix > 0

    def change(self, images: Tensor, *, epoch: int, indices: np.ndarray) -> Tensor:
        """(B, C, H, W) uint8 changed images. indices: (B,) the examples' numbers; the same image in the same epoch changes the same way."""
        if not self.changes or not len(images):  # a process's share of a small last batch may be empty
            return images
        spec, chance = self.spec, uniforms(self.seed, epoch, indices, self._draws)
        if spec.flip:
            images = geometry.mirror(images, chance[:, FLIP] < 0.5)
        if spec.crop:
            down, right = (chance[:, CROP : CROP + 2].T * (2 * spec.crop + 1)).astype(np.int64)
            images = geometry.shift(images, down, right, margin=spec.crop)
        if spec.scale or spec.rotate:
            images = geometry.affine(images, self._maps(chance, images.shape))
        if spec.colour:
            images = colour.jitter(images, 1 + spec.colour * (2 * chance[:, COLOUR : COLOUR + 3] - 1))
        if spec.randaugment:
            drawn = chance[:, RANDAUGMENT : RANDAUGMENT + DRAWS * spec.randaugment]
            images = randaugment(images, drawn, magnitude=spec.randaugment_magnitude)
        if spec.erase:
            images = _erase(images, chance[:, ERASE : ERASE + 5], likelihood=spec.erase)
        if not self.masks:
            return images
        drawn = uniforms(self.seed, epoch, indices, masking.DRAWS, purpose="mask")
        return masking.spec_augment(images, drawn, time=spec.time_mask, bands=spec.freq_mask)

    def mixing(self, shape: tuple[int, int], *, epoch: int, step: int, size: int) -> Mixing:
        """How the images of one step's whole batch are mixed."""
        return draw(self.spec, shape, seed=self.seed, epoch=epoch, step=step, size=size)

    def _maps(self, chance: np.ndarray, shape: torch.Size) -> np.ndarray:
        """Resized crop and rotation in one."""
        spec, maps = self.spec, geometry.unit(len(chance))
        if spec.scale:
            area, stretch, across, down = chance[:, SCALE : SCALE + 4].T
            maps = geometry.window(1 - spec.scale * area, STRETCH ** (2 * stretch - 1), across, down)
        if spec.rotate:
            maps = geometry.rotation(spec.rotate * (2 * chance[:, ROTATE] - 1), aspect=shape[-1] / shape[-2]) @ maps
        return maps


def _erase(images: Tensor, chance: np.ndarray, *, likelihood: float) -> Tensor:
    """Some images with a rectangle of their own mean brightness. chance: (B, 5) whether, area, shape, place."""
    rows = np.flatnonzero(chance[:, 0] < likelihood)
    return geometry.on_some(images, rows, lambda some: _blank(some, chance[rows]))


def _blank(images: Tensor, chance: np.ndarray) -> Tensor:
    height, width = images.shape[-2:]
    area = (ERASED[0] + (ERASED[1] - ERASED[0]) * chance[:, 1]) * height * width
    stretch = SLENDER ** (2 * chance[:, 2] - 1)
    high = np.clip(np.round(np.sqrt(area / stretch)), 1, height)
    wide = np.clip(np.round(np.sqrt(area * stretch)), 1, width)
    top, left = np.floor(chance[:, 3] * (height - high + 1)), np.floor(chance[:, 4] * (width - wide + 1))
    edges = torch.from_numpy(np.stack([top, top + high, left, left + wide]).astype(np.int64)).to(images.device)
    first, last, begin, end = edges[:, :, None, None]
    y, x = torch.arange(height, device=images.device)[:, None], torch.arange(width, device=images.device)
    inside = (y >= first) & (y < last) & (x >= begin) & (x < end)
    return torch.where(inside[:, None], geometry.to_bytes(colour.mean_grey(images)), images)
