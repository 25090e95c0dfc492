"""One sound file: decoded to mono, looked at, brought to another rate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leadline.base.find import module

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"})
"""What libsndfile reads; see https://libsndfile.github.io/libsndfile/formats.html."""
UNREAD = frozenset({".m4a", ".aac", ".wma", ".amr", ".webm", ".mka"})
"""Sounds in formats that are not read: they count as examples that were left out, other files do not."""
READABLE = "WAV, FLAC, Ogg, MP3, AIFF"
LONGEST_S = 3600.0  # an hour in memory is 230 MB at 16 kHz; recordings are to be cut before they are learnt from
SILENT = 1e-4  # peak of full scale: -80 dB, below the noise floor of 16-bit recordings with any microphone
FULL = 0.999  # of full scale: samples here were most likely cut off
CLIPPED = 0.01  # share of such samples that is heard as distortion


class Unreadable(Exception):
    """A file that is no sound; reason: what is wrong, to be read behind its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Sound:
    """A decoded file. samples: (n,) float32 mono in -1..1; rate: samples per second; channels: as stored, their mean is taken."""

    samples: np.ndarray
    rate: int
    channels: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def is_silent(self) -> bool:
        """Nothing but a constant, or less than -80 dB of full scale."""
        return float(np.ptp(self.samples)) < 2 * SILENT

    @property
    def is_clipped(self) -> bool:
        """More than 1 % of the samples at full scale."""
        return float((np.abs(self.samples) >= FULL).mean()) > CLIPPED

    @property
    def hash(self) -> int:
        """64 bits of samples and rate, stable between machines and runs."""
        digest = hashlib.blake2b(str(self.rate).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(self.samples).data)
        return int.from_bytes(digest.digest(), "little")


def read(path: str | Path) -> Sound:
    """Decode a file; Unreadable when it is no sound, is empty, holds values that are no numbers, or lasts longer than an hour."""
    soundfile: Any = module("soundfile")
    try:
        about = soundfile.info(str(path))
        if about.frames > LONGEST_S * about.samplerate:
            raise Unreadable(f"lasts {about.duration / 3600:.1f} hours, more than one: cut it first")
        stored, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise Unreadable(f"cannot be read as sound ({_words(error)})") from None
    if not len(stored):
        raise Unreadable("holds no samples")
    samples = np.ascontiguousarray(stored[:, 0] if stored.shape[1] == 1 else stored.mean(axis=1, dtype=np.float32))
    if not np.isfinite(samples).all():
        raise Unreadable("holds samples that are no numbers")
    return Sound(samples, int(rate), int(stored.shape[1]))


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """(m,) float32 at `wanted` samples per second: band-limited by scipy.signal.resample_poly, m = ceil(n * wanted / rate)."""
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = int(np.gcd(rate, wanted))
    return resample_poly(samples, wanted // common, rate // common).astype(np.float32)


def _words(error: Exception) -> str:
    """What libsndfile says, without the path that soundfile puts before it."""
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
