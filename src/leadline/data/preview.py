"""A sheet of training images as the network sees them: originals on top, then the same ones changed as in the first epochs."""

from __future__ import annotations

import numpy as np
import torch

from leadline.data.batches import Batches
from leadline.data.mixing import mix_images

EPOCHS = 4
GAP = 2  # white pixels between images


def preview(batches: Batches, n: int = 8) -> np.ndarray:
    """(height, width, 3) uint8 sheet: per column one training image, per row the original and 4 epochs."""
    rows = batches.order.indices[:n]
    images = batches.store.fetch(rows)[0]
    sheet = [images]
    for epoch in range(EPOCHS):
        changed = batches.augment.change(images, epoch=epoch, indices=rows)
        if batches.augment.mixes:
            mixing = batches.augment.mixing((images.shape[2], images.shape[3]), epoch=epoch, step=0, size=len(rows))
            partners = changed.index_select(0, torch.from_numpy(mixing.partner).to(changed.device))
            changed = mix_images(changed, partners, mixing)
        sheet.append(changed.round().to(torch.uint8) if changed.is_floating_point() else changed)
    grid = np.stack([row.cpu().numpy() for row in sheet])
    framed = np.pad(grid, ((0, 0), (0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=255)
    down, across, channels, height, width = framed.shape
    flat = framed.transpose(0, 3, 1, 4, 2).reshape(down * height, across * width, channels)
    return np.ascontiguousarray(np.broadcast_to(flat, (*flat.shape[:2], 3)) if channels == 1 else flat)
