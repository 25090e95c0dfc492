"""What both preparers of sound choose alike: the rate, the front end, and the statistics of the training clips."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.base.errors import InputError
from leadline.data.logmel import MOST_RATE, LogMel
from leadline.record.facts import Guess

if TYPE_CHECKING:
    from leadline.data.settings import AudioSpec
    from leadline.data.source import Examples

SAMPLE = 2000  # training clips that give lengths, mean and deviation: to three digits the same as all
LEAST_DEVIATION = 4.0  # of 255, just over 1 dB: a band that hardly changes must not be blown up


def sample(examples: Examples, train: np.ndarray) -> Any:
    """Up to 2,000 training clips, evenly spaced."""
    train = np.asarray(train)
    return examples.fetch(train[np.unique(np.linspace(0, len(train) - 1, min(len(train), SAMPLE)).astype(np.int64))])


def front_end(clips: Any, spec: AudioSpec) -> tuple[LogMel, tuple[Guess, ...]]:
    """The front end for these training clips: at the rate asked for, or the commonest one, at most 16,000 a second."""
    if spec.rate is not None:
        return LogMel.of(spec.rate, window_ms=spec.window_ms, hop_ms=spec.hop_ms, mels=spec.mels), ()
    common, count = Counter(rate for _, rate in clips).most_common(1)[0]
    rate = min(common, MOST_RATE)
    evidence = f"{count:,} of {len(clips):,} clips have {common:,}" + ("; more tells speech no better apart" if rate < common else "")
    guess = Guess(f"sounds at {rate:,} samples a second", evidence, "data.audio.rate=N")
    return LogMel.of(rate, window_ms=spec.window_ms, hop_ms=spec.hop_ms, mels=spec.mels), (guess,)


def moments(pieces: Any) -> tuple[np.ndarray, np.ndarray]:
    """(M,) mean and deviation of each band over arrays (M, T) of 0..255, in float64; counted exactly."""
    total = squares = 0.0
    count = 0
    for levels in pieces:
        values = levels.astype(np.float64)
        total, squares, count = total + values.sum(axis=1), squares + np.square(values).sum(axis=1), count + levels.shape[1]
    mean = np.asarray(total) / count
    return mean, np.maximum(np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 0)), LEAST_DEVIATION)


def refuse_other(raw: Any) -> None:
    """InputError LL029 when these are no clips."""
    if not isinstance(raw, list) or any(not isinstance(each, tuple) or len(each) != 2 or np.ndim(each[0]) != 1 for each in raw):
        raise InputError("LL029", "the model takes sounds: pairs of samples (n,) and their rate", where="input", help="(samples, rate)")
