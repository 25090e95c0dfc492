"""Sounds for tests: tones in real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000


def tone(seconds: float = 0.2, *, pitch: float = 440.0, loud: float = 0.5, rate: int = RATE) -> np.ndarray:
    """(n,) float32 of one pitch."""
    return (loud * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def put(path: Path, samples: np.ndarray | None = None, *, rate: int = RATE) -> Path:
    """Write samples (n,) or (n, channels); a tone where none are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), tone() if samples is None else samples, rate)
    return path


def two_classes(root: Path, *, each: int = 6) -> Path:
    """low/ and high/ with `each` different tones."""
    for index in range(each):
        put(root / "low" / f"{index}.wav", tone(pitch=200 + 5 * index))
        put(root / "high" / f"{index}.wav", tone(pitch=1500 + 5 * index))
    return root
