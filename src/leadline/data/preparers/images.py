"""Pictures become model inputs: brought to one size once, normalised per batch by what the training pictures taught.

Axes: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image, ImageOps

from leadline.data.decode import quiet, read_image, with_channels
from leadline.data.pixels import Pictures
from leadline.data.prepare import Preparer
from leadline.record.facts import Guess, ImageSizes
from leadline.record.ports import Images, Port

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples

__all__ = ["ImagesPreparer", "read_image"]

NATIVE = 64
"""Sets of equal-sized pictures up to this side, pixels, are taken as they are."""
SIDES = (32, 64, 96, 128)
"""Squares that pictures are brought to by themselves; larger ones cost time, so the user asks for them."""
SAMPLE = 2000  # training pictures whose pixels give mean and deviation: to three digits the same as all
LEAST_DEVIATION = 1e-3  # of 0..1: less is a blank channel, and dividing by it would blow up noise
_GAP = 2  # a large JPEG is decoded at 1/2, 1/4 or 1/8 size as long as it stays at least so many times the size wanted


@dataclass(frozen=True)
class ImagesPreparer(Preparer):
    """Brings pictures to (channels, height, width) and normalises them.

    mean and std: per channel, of training pixels scaled to 0..1. guesses: what `fit` chose by itself; not part of `to_dict`.
    """

    kind: ClassVar[str] = "images"

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    guesses: tuple[Guess, ...] = field(default=(), compare=False)
    gives: Port = field(init=False, compare=False)
    _factors: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Images(self.channels, self.height, self.width))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Choose size and channels; mean and deviation come from up to 2,000 training pictures, evenly spaced."""
        train = np.asarray(train)
        sample = train[np.unique(np.linspace(0, len(train) - 1, min(len(train), SAMPLE)).astype(np.int64))]
        raw = examples.fetch(sample)
        channels = _channels(raw)
        sizes = examples.facts.images or _sizes(raw)
        (height, width), guesses = _choose_size(sizes, spec)
        plain = cls(channels, height, width, (0.0,) * channels, (1.0,) * channels)
        mean, std = _moments(plain, raw)
        return cls(channels, height, width, mean, std, guesses)

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, C, H, W) uint8 of pictures: an array (B, h, w, c), `Pictures`, or a list of arrays, Pillow pictures, paths or bytes.

        The shorter side is brought to size and the middle is cut out. Raises InputError LL001, LL003 or LL029 for what cannot be read.
        """
        if isinstance(raw, np.ndarray) and raw.ndim == 4 and raw.shape[1:] == (self.height, self.width, self.channels):
            return (np.ascontiguousarray(raw.transpose(0, 3, 1, 2)),)
        out = np.empty((len(raw), self.channels, self.height, self.width), np.uint8)
        threads = _threads(len(raw))
        with quiet():
            if threads == 1:
                self._fill(out, raw, range(len(raw)))
            else:
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(lambda places: self._fill(out, raw, places), [range(i, len(raw), threads) for i in range(threads)]))
        return (out,)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """(B, C, H, W) float32, normalised, in the memory format of what comes in (0..255, uint8 or float)."""
        pixels = stored[0].to(torch.float32, copy=True)
        scale, shift = self._on(pixels.device)
        is_channels_last = self.channels > 1 and not pixels.is_contiguous() and pixels.is_contiguous(memory_format=torch.channels_last)
        if is_channels_last:
            # One long vector per row of pixels: broadcasting over the few channels, which lie innermost, takes ten times as long.
            rows = pixels.permute(0, 2, 3, 1).view(-1, pixels.shape[3] * self.channels)
            rows.mul_(scale.view(-1).repeat(pixels.shape[3])).add_(shift.view(-1).repeat(pixels.shape[3]))
            return (pixels,)
        return (pixels.mul_(scale).add_(shift),)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "channels": self.channels,
            "height": self.height,
            "width": self.width,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        return cls(int(fields["channels"]), int(fields["height"]), int(fields["width"]), mean, std)

    def _fill(self, out: np.ndarray, raw: Any, places: Sequence[int]) -> None:
        for place in places:
            picture = self._picture(raw, place)
            if picture.shape[:2] != (self.height, self.width):
                picture = _fitted(picture, (self.width, self.height))
            out[place] = with_channels(picture, self.channels).transpose(2, 0, 1)

    def _picture(self, raw: Any, place: int) -> np.ndarray:
        if isinstance(raw, Pictures):
            return raw.read(place, short_side=_GAP * max(self.height, self.width))
        return read_image(raw[place])

    def _on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """scale and shift (1, C, 1, 1) on a device: (x / 255 - mean) / std = x * scale + shift."""
        if device not in self._factors:
            mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (self.mean, self.std))
            self._factors[device] = ((1 / (255 * std)).float().to(device), (-mean / std).float().to(device))
        return self._factors[device]


def _channels(raw: Any) -> int:
    """3 when any of the pictures has colour."""
    if isinstance(raw, np.ndarray):
        return raw.shape[-1]
    if isinstance(raw, Pictures) and raw.channels:
        return raw.channels
    return max(picture.shape[-1] for picture in raw)


def _sizes(raw: Any) -> ImageSizes:
    """Sizes of fetched pictures, for sources whose facts do not tell."""
    shapes = np.array([picture.shape[:2] for picture in raw])
    height, width = ((int(axis.min()), int(np.median(axis)), int(axis.max())) for axis in shapes.T)
    return ImageSizes(width, height)


def _choose_size(sizes: ImageSizes, spec: DataSpec) -> tuple[tuple[int, int], tuple[Guess, ...]]:
    """(height, width), and the choice in words."""
    if spec.image_size is not None:
        return (spec.image_size, spec.image_size), ()
    (low, middle, high), (short, median, tall) = sizes.width, sizes.height
    is_equal = low == high and short == tall
    if is_equal and max(low, short) <= NATIVE:
        return (short, low), (Guess(f"pictures stay at {low} x {short} pixels", "all have this size", "data.image_size=N"),)
    side = min(SIDES, key=lambda side: abs(np.log(side / min(middle, median))))
    evidence = f"they are {low} to {high} wide and {short} to {tall} high, the middle one {middle} x {median}; larger ones take longer"
    return (side, side), (
        Guess(f"pictures brought to {side} x {side} pixels, the middle cut out", evidence, f"data.image_size={2 * side}"),
    )


def _moments(preparer: ImagesPreparer, raw: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of the prepared pictures, scaled to 0..1; counted exactly from histograms."""
    counts = np.zeros((preparer.channels, 256), np.int64)
    for start in range(0, len(raw), 256):
        pixels = preparer.store(raw[start : start + 256])[0]
        for channel in range(preparer.channels):
            counts[channel] += np.bincount(pixels[:, channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    total = counts.sum(1)
    mean = counts @ levels / total
    variance = (counts * (levels - mean[:, None]) ** 2).sum(1) / total
    std = np.maximum(np.sqrt(variance), LEAST_DEVIATION)
    return tuple(mean.tolist()), tuple(std.tolist())


def _fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resized so that the shorter side fits, and the middle of the longer one cut out. size: (width, height)."""
    plain = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    fitted = np.asarray(ImageOps.fit(plain, size, method=Image.Resampling.BICUBIC))
    return fitted[..., None] if fitted.ndim == 2 else fitted


def _threads(count: int) -> int:
    """Pillow decodes and resizes outside Python's lock. Worker processes are many already and take one thread each."""
    if count < 16 or multiprocessing.parent_process() is not None:
        return 1
    return min(8, os.cpu_count() or 1)
