"""Sounds become pictures: log-mel spectrograms of one length, which networks for pictures tell apart.

Axes: B batch, M mel bands, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch

from leadline.data import heard_sounds
from leadline.data.logmel import LogMel
from leadline.data.prepare import Preparer
from leadline.record.facts import Guess
from leadline.record.ports import Images, Port

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples

LONG = 0.95  # of the training clips are heard whole; the rest lose their ends rather than that all carry silence


@final
@dataclass(frozen=True)
class SpectrogramPreparer(Preparer):
    """Clips to (1, mels, frames), 0..255 for 80 dB below their loudest band, then standardised by band.

    Shorter clips stand in the middle of silence, of longer ones the middle is heard. mean and std: of each band, of training levels.
    """

    kind: ClassVar[str] = "spectrogram"

    hears: LogMel
    frames: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    guesses: tuple[Guess, ...] = field(default=(), compare=False)
    gives: Port = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Images(1, self.hears.mels, self.frames))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Choose rate and length; mean and deviation come from up to 2,000 training clips, evenly spaced."""
        clips = heard_sounds.sample(examples, train)
        hears, guesses = heard_sounds.front_end(clips, spec.audio)
        seconds = spec.audio.seconds
        if seconds is None:
            seconds = float(np.quantile([len(samples) / rate for samples, rate in clips], LONG, method="higher"))
            evidence = f"{LONG:.0%} of the training clips last no longer"
            guesses = (*guesses, Guess(f"clips padded or cut to {seconds:.2f} s", evidence, "data.audio.seconds=N"))
        frames = hears.frames(round(seconds * hears.rate))
        plain = cls(hears, frames, (0.0,), (1.0,))
        mean, std = heard_sounds.moments(levels[0] for levels in plain.store(clips)[0])
        return cls(hears, frames, tuple(mean.tolist()), tuple(std.tolist()), guesses)

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, 1, M, T) uint8 of clips (samples, rate)."""
        heard_sounds.refuse_other(raw)
        out = np.zeros((len(raw), 1, self.hears.mels, self.frames), np.uint8)
        for place, clip in enumerate(raw):
            levels = self.hears.levels(clip)
            spare = self.frames - levels.shape[1]
            if spare >= 0:
                out[place, 0, :, spare // 2 : spare // 2 + levels.shape[1]] = levels
            else:
                out[place, 0] = levels[:, -spare // 2 : -spare // 2 + self.frames]
        return (out,)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """(B, 1, M, T) float32, each band with mean 0 and deviation 1 over the training clips."""
        levels = stored[0].to(torch.float32, copy=True)
        mean, std = (torch.tensor(values, device=levels.device).view(-1, 1) for values in (self.mean, self.std))
        return (levels.sub_(mean).div_(std),)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.hears.to_dict(), "frames": self.frames, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        return cls(LogMel.from_dict(fields), int(fields["frames"]), mean, std)
