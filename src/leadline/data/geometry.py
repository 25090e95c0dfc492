"""Moving pixels: mirror, shifted crop, and one affine map for everything else. Images are (B, C, H, W) uint8; each draws its own move.

A sample's result depends on its own numbers only, to the bit, whatever stands beside it in the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad


def on_some(images: Tensor, rows: np.ndarray, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The images with those at `rows` changed. One gather at the end: writing rows back in place is five times slower in torch."""
    if not len(rows):
        return images
    changed = change(images.index_select(0, torch.from_numpy(rows).to(images.device)))
    place = np.arange(len(images))
    place[rows] = len(images) + np.arange(len(rows))
    return torch.cat([images, changed]).index_select(0, torch.from_numpy(place).to(images.device))


def mirror(images: Tensor, chosen: np.ndarray) -> Tensor:
    """The images with those in `chosen` (B,) bool mirrored left-right."""
    return on_some(images, np.flatnonzero(chosen), lambda some: some.flip(-1))


def shift(images: Tensor, down: np.ndarray, right: np.ndarray, *, margin: int) -> Tensor:
    """Black margins all round, then a window of the old size at (down, right), (B,) integers from 0 to 2 * margin.

    The window's rows of pixels are gathered from one view of all runs of that length: whole rows are copied, not single pixels.
    """
    count, channels, height, width = images.shape
    wide = pad(images, (margin,) * 4)
    high, long = wide.shape[-2:]
    plane = np.arange(count * channels).reshape(count, channels, 1) * (high * long)
    first = plane + (down[:, None, None] + np.arange(height)) * long + right[:, None, None]
    runs = wide.view(-1).unfold(0, width, 1)
    return runs.index_select(0, torch.from_numpy(first.reshape(-1)).to(images.device)).view(images.shape)


def unit(count: int) -> np.ndarray:
    """(count, 3, 3) maps that move nothing; from output to input, in units of half the image around its middle."""
    return np.tile(np.eye(3), (count, 1, 1))


def rotation(degrees: np.ndarray, *, aspect: float) -> np.ndarray:
    """(B, 3, 3) maps that turn; aspect: width over height, so that a turn stays a turn."""
    maps, angle = unit(len(degrees)), np.deg2rad(degrees)
    maps[:, 0, 0], maps[:, 0, 1] = np.cos(angle), np.sin(angle) / aspect
    maps[:, 1, 0], maps[:, 1, 1] = -np.sin(angle) * aspect, np.cos(angle)
    return maps


def window(area: np.ndarray, stretch: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(B, 3, 3) maps that enlarge a part. area: its share; stretch: its width over height; across, down: its place, 0 to 1."""
    maps = unit(len(area))
    wide, high = np.minimum(np.sqrt(area * stretch), 1), np.minimum(np.sqrt(area / stretch), 1)
    maps[:, 0, 0], maps[:, 0, 2] = wide, (1 - wide) * (2 * across - 1)
    maps[:, 1, 1], maps[:, 1, 2] = high, (1 - high) * (2 * down - 1)
    return maps


def affine(images: Tensor, maps: np.ndarray, *, mode: str = "bilinear") -> Tensor:
    """Each output pixel is read where its map (B, 3, 3) points; black outside. mode: bilinear or nearest."""
    height, width = images.shape[-2:]
    placed = torch.from_numpy(maps[:, :2].astype(np.float32)).to(images.device)
    x = ((torch.arange(width, device=images.device) * 2 + 1) / width - 1)[None, None, :, None]
    y = ((torch.arange(height, device=images.device) * 2 + 1) / height - 1)[None, :, None, None]
    column = placed[:, None, None]  # (B, 1, 1, 2, 3); written out, since a matrix product's bits may depend on the batch
    grid = column[..., 0] * x + column[..., 1] * y + column[..., 2]
    return to_bytes(grid_sample(images.to(torch.float32), grid, mode=mode, padding_mode="zeros", align_corners=False))


def to_bytes(pixels: Tensor) -> Tensor:
    """Float pixels, 0 to 255 and perhaps beyond, rounded to uint8; works in place."""
    return pixels.round_().clamp_(0, 255).to(torch.uint8)
