"""SpecAugment (Park et al. 2019): stretches of time and of frequency of a spectrogram are blanked, so that no single one is relied on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from leadline.data import colour, geometry

MASKS = 2  # of each kind, as in the paper's stronger policies
DRAWS = 4 * MASKS  # width and place of every mask


def spec_augment(spectrograms: Tensor, chance: np.ndarray, *, time: float, bands: float) -> Tensor:
    """(B, C, mels, frames) uint8 with masks of each one's own mean. chance: (B, DRAWS) in [0, 1).

    time, bands: the largest share of frames and of mel bands that one mask covers; widths are drawn from 0 up to it, evenly.
    """
    height, width = spectrograms.shape[-2:]
    hidden = _stretches(chance[:, : 2 * MASKS], size=width, share=time)[:, None, :]
    hidden = hidden | _stretches(chance[:, 2 * MASKS :], size=height, share=bands)[:, :, None]
    mask = torch.from_numpy(hidden).to(spectrograms.device)
    return torch.where(mask[:, None], geometry.to_bytes(colour.mean_grey(spectrograms)), spectrograms)


def _stretches(chance: np.ndarray, *, size: int, share: float) -> np.ndarray:
    """(B, size) bool: what MASKS stretches cover. chance: (B, 2 * MASKS) widths and places."""
    widths = np.floor(chance[:, :MASKS] * (np.floor(share * size) + 1))
    first = np.floor(chance[:, MASKS:] * (size - widths + 1))
    place = np.arange(size)
    return ((place >= first[..., None]) & (place < (first + widths)[..., None])).any(axis=1)
