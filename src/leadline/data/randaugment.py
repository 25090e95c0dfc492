"""RandAugment (Cubuk et al. 2020): per image some operations at random out of fourteen, all at one strength; ranges as in torchvision.

The batch is sorted by operation, so that each runs once over all images that drew it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from leadline.data import colour, geometry

MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
BLENDS = ("brightness", "contrast", "colour", "sharpness")
TONES = ("autocontrast", "equalize", "posterize", "solarize")
OPERATIONS = (*MOVES, *BLENDS, *TONES, "identity")
DRAWS = 2  # numbers that one operation takes: which it is, and its sign
LARGEST = 30.0  # the magnitude at which an operation is at its strongest


def randaugment(images: Tensor, chance: np.ndarray, *, magnitude: float) -> Tensor:
    """(B, C, H, W) uint8 after `chance.shape[1] // 2` operations each. chance: (B, 2 * operations) uniform numbers; magnitude: 0 to 30."""
    strength = magnitude / LARGEST
    for column in range(0, chance.shape[1], DRAWS):
        chosen = (chance[:, column] * len(OPERATIONS)).astype(np.int64)
        sign = np.where(chance[:, column + 1] < 0.5, -1.0, 1.0)
        images = _round(images, chosen, signed=sign * strength)
    return images


def _round(images: Tensor, chosen: np.ndarray, *, signed: np.ndarray) -> Tensor:
    """One operation on every image. chosen: (B,) numbers in OPERATIONS; signed: (B,) strength with its sign."""
    kinds = KIND_OF[chosen]
    order = np.argsort(kinds, kind="stable")
    back = np.argsort(order, kind="stable")
    sorted_images = images.index_select(0, torch.from_numpy(order).to(images.device))
    done = []
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds[order] == kind)
        some, which = sorted_images[rows[0] : rows[-1] + 1], order[rows]
        done.append(KINDS[kind][1](some, np.array(OPERATIONS)[chosen[which]], signed[which]))
    return torch.cat(done).index_select(0, torch.from_numpy(back).to(images.device))


def _move(images: Tensor, names: np.ndarray, signed: np.ndarray) -> Tensor:
    height, width = images.shape[-2:]
    maps = geometry.rotation(np.where(names == "rotate", 30 * signed, 0), aspect=width / height)
    maps[:, 0, 1] += np.where(names == "shear_x", 0.3 * signed, 0) * height / width
    maps[:, 1, 0] += np.where(names == "shear_y", 0.3 * signed, 0) * width / height
    for axis, name, size in ((0, "translate_x", width), (1, "translate_y", height)):
        pixels = np.where(names == name, np.trunc(150 / 331 * size * signed), 0)  # AutoAugment's 150 pixels of its 331
        maps[:, axis, 2] += pixels * 2 / size
    return geometry.affine(images, maps, mode="nearest")


def _blend(images: Tensor, names: np.ndarray, signed: np.ndarray) -> Tensor:
    def pick(name: str) -> Tensor:
        return torch.from_numpy(names == name).to(images.device)[:, None, None, None]

    other = colour.smooth(images)
    other = torch.where(pick("brightness"), 0.0, other)
    other = torch.where(pick("contrast"), colour.mean_grey(images), other)
    other = torch.where(pick("colour"), colour.grey(images), other)
    return colour.blend(images, other, 1 + 0.9 * signed)


def _tone(images: Tensor, names: np.ndarray, signed: np.ndarray) -> Tensor:
    strength = float(abs(signed[0]))
    match names[0]:
        case "autocontrast":
            return colour.autocontrast(images)
        case "equalize":
            return colour.equalize(images)
        case "posterize":
            return colour.posterize(images, 8 - round(4 * strength))
        case _:
            return colour.solarize(images, 256 * (1 - strength))


def _stay(images: Tensor, names: np.ndarray, signed: np.ndarray) -> Tensor:
    return images


# Operations that run together, and how.
KINDS: tuple[tuple[tuple[str, ...], Callable[[Tensor, np.ndarray, np.ndarray], Tensor]], ...] = (
    (MOVES, _move),
    (BLENDS, _blend),
    *(((name,), _tone) for name in TONES),
    (("identity",), _stay),
)
KIND_OF = np.array([kind for name in OPERATIONS for kind, (members, _) in enumerate(KINDS) if name in members])
