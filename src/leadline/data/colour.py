"""Changing the colours of (B, C, H, W) uint8 images, each by its own strength. Grey images have no colour to strengthen.

Means are sums of whole numbers, which are exact in any order: a sample's bits do not depend on what stands beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from leadline.data.geometry import to_bytes

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, as Pillow and torchvision have it


def grey(images: Tensor) -> Tensor:
    """(B, 1, H, W) float brightness in whole numbers."""
    if images.shape[1] == 1:
        return images.to(torch.float32)
    red, green, blue = (images[:, channel : channel + 1].to(torch.float32) * weight for channel, weight in enumerate(LUMA))
    return (red + green + blue).floor_()


def mean_grey(images: Tensor) -> Tensor:
    """(B, 1, 1, 1) float mean brightness."""
    pixels = images.shape[-2] * images.shape[-1]
    return (grey(images).sum((1, 2, 3), keepdim=True, dtype=torch.float64) / pixels).to(torch.float32)


def smooth(images: Tensor) -> Tensor:
    """Float images, each inner pixel mixed with its eight neighbours (the middle weighs 5 of 13); the border stays."""
    pixels = images.to(torch.float32)
    if min(images.shape[-2:]) < 3:
        return pixels
    rows = pixels[..., :-2, :] + pixels[..., 1:-1, :] + pixels[..., 2:, :]
    box = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smoothed = pixels.clone()
    smoothed[..., 1:-1, 1:-1] = (box + 4 * pixels[..., 1:-1, 1:-1]) / 13
    return smoothed


def blend(images: Tensor, other: Tensor | float, factor: np.ndarray) -> Tensor:
    """other + factor * (images - other): factor 1 changes nothing, 0 gives the other, above 1 exaggerates. factor: (B,)."""
    strength = torch.from_numpy(factor.astype(np.float32)).to(images.device)[:, None, None, None]
    return to_bytes((images - other) * strength + other) if isinstance(other, Tensor) else to_bytes(images * strength + other)


def jitter(images: Tensor, factors: np.ndarray) -> Tensor:
    """Brightness, then contrast, then saturation by factors (B, 3) around 1."""
    images = blend(images, 0.0, factors[:, 0])
    images = blend(images, mean_grey(images), factors[:, 1])
    return images if images.shape[1] == 1 else blend(images, grey(images), factors[:, 2])


def posterize(images: Tensor, bits: int) -> Tensor:
    """Only the highest `bits` bits of each pixel."""
    return images & (256 - (1 << (8 - bits)))


def solarize(images: Tensor, threshold: float) -> Tensor:
    """Pixels at and above the threshold inverted."""
    return torch.where(images >= threshold, 255 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Each channel stretched to the full range."""
    low, high = images.amin((2, 3), keepdim=True).to(torch.float32), images.amax((2, 3), keepdim=True).to(torch.float32)
    scale = torch.where(high > low, 255 / (high - low).clamp(min=1), 1.0)
    base = torch.where(high > low, low, 0.0)
    return ((images - base) * scale).clamp_(0, 255).to(torch.uint8)


def equalize(images: Tensor) -> Tensor:
    """Each channel's brightness spread so that all values are about equally frequent (Pillow's rule)."""
    flat = images.flatten(2).to(torch.int64)
    counts = torch.zeros((*flat.shape[:2], 256), dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, flat, torch.ones_like(flat))
    last = counts.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - last) // 255
    table = ((counts.cumsum(2) - counts + step // 2) // step.clamp(min=1)).clamp_(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device))
    return table.gather(2, flat).to(torch.uint8).view_as(images)
