"""Sound to log-mel spectrogram: how loud each band of hearing is at each moment.

Axes: n samples, F frequencies, M mel bands, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from leadline.base.errors import InputError
from leadline.data.sound import resample

RANGE_DB = 80.0  # below a clip's loudest band all is silence: 8 decades of power, as Whisper cuts it (Radford et al. 2022)
LEAST_POWER = 1e-10
MOST_RATE = 16_000  # speech and most sounds keep what tells them apart below 8 kHz


@dataclass(frozen=True)
class LogMel:
    """The front end: rate in samples per second, window and hop in samples, mels bands from 0 Hz to half the rate."""

    rate: int
    window: int
    hop: int
    mels: int
    _kept: dict[str, Any] = field(init=False, compare=False, repr=False, default_factory=dict)

    @classmethod
    def of(cls, rate: int, *, window_ms: float, hop_ms: float, mels: int) -> LogMel:
        """From lengths in milliseconds. Raises InputError LL022 for more bands than the spectrum can tell apart."""
        made = cls(rate, max(2, round(rate * window_ms / 1000)), max(1, round(rate * hop_ms / 1000)), mels)
        empty = int((made.filters.sum(axis=0) == 0).sum())
        if empty:
            text = f"data.audio.mels = {mels}: {empty} of the bands are narrower than the steps of the spectrum"
            raise InputError(
                "LL022", text, where="data.audio", help=f"fewer bands, or a longer window: data.audio.window_ms={2 * window_ms:g}"
            )
        return made

    @property
    def fft(self) -> int:
        """Length of the transform: the power of two from twice the window on, so that low bands hold some frequencies each."""
        return 1 << (2 * self.window - 1).bit_length()

    @cached_property
    def filters(self) -> np.ndarray:
        """(F, M) float64 triangles between neighbouring band centres, evenly spaced on the mel scale."""
        return mel_filters(self.fft // 2 + 1, self.mels, self.rate)

    def frames(self, samples: int) -> int:
        """How many frames so many samples become."""
        return samples // self.hop + 1

    def power(self, samples: np.ndarray) -> torch.Tensor:
        """(M, T) float32 power of each band at every `hop` samples, the windows centred, zeros around the clip."""
        if "window" not in self._kept:
            self._kept["window"] = torch.hann_window(self.window)
            self._kept["filters"] = torch.from_numpy(self.filters.T.astype(np.float32))
        found = torch.stft(
            torch.from_numpy(samples),
            self.fft,
            self.hop,
            self.window,
            self._kept["window"],
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return self._kept["filters"] @ found.abs().square()

    def decibels(self, samples: np.ndarray) -> torch.Tensor:
        """(M, T) float32 in dB below the clip's loudest band, from -80 to 0; -80 throughout for silence."""
        level = 10 * torch.log10(self.power(samples).clamp(min=LEAST_POWER))
        loudest = level.max()
        if loudest <= 10 * np.log10(LEAST_POWER) + 1e-3:
            return torch.full_like(level, -RANGE_DB)
        return (level - loudest).clamp(min=-RANGE_DB)

    def levels(self, clip: tuple[np.ndarray, int]) -> np.ndarray:
        """(M, T) uint8 of a clip (samples, rate) at any rate: 0 is 80 dB below its loudest band, 255 is that band."""
        samples, rate = clip
        with torch.no_grad():
            found = self.decibels(resample(np.asarray(samples, np.float32), rate, self.rate))
        return (found / RANGE_DB + 1).mul_(255).round_().to(torch.uint8).numpy()

    def to_dict(self) -> dict[str, int]:
        return {"rate": self.rate, "window": self.window, "hop": self.hop, "mels": self.mels}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> LogMel:
        return cls(*(int(fields[key]) for key in ("rate", "window", "hop", "mels")))


def mel_filters(frequencies: int, mels: int, rate: int) -> np.ndarray:
    """(F, M) float64 triangular filters from 0 Hz to rate / 2; mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987, as in HTK)."""
    edges = 700 * (10 ** (np.linspace(0, _mel(rate / 2), mels + 2) / 2595) - 1)
    hertz = np.linspace(0, rate / 2, frequencies)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))
