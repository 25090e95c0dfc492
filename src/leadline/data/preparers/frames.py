"""Sounds become sequences: frames of log-mel levels, as many as the sound is long, for networks that write down what is said.

Axes: B batch, T frames, M mel bands, S spectra side by side in one frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch

from leadline.base.errors import InputError
from leadline.data import heard_sounds
from leadline.data.logmel import LogMel
from leadline.data.prepare import Preparer
from leadline.record.facts import Guess
from leadline.record.ports import Frames, Port

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples


@final
@dataclass(frozen=True)
class FramesPreparer(Preparer):
    """Clips to (T, S * mels) frames, 0..255 for 80 dB below their loudest band, then standardised by band; and how many frames there are.

    length: the most frames of a clip. stack: S, spectra side by side, so that a second has fewer frames (Sak et al. 2015).
    """

    kind: ClassVar[str] = "frames"
    varies: ClassVar[bool] = True

    hears: LogMel
    stack: int
    length: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    guesses: tuple[Guess, ...] = field(default=(), compare=False)
    gives: Port = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Frames(self.hears.mels * self.stack, self.length))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Choose rate and length; mean and deviation come from up to 2,000 training clips, evenly spaced."""
        clips = heard_sounds.sample(examples, train)
        hears, guesses = heard_sounds.front_end(clips, spec.audio)
        about = examples.facts.audio
        longest = max(len(samples) / rate for samples, rate in clips) if about is None else about.seconds[2]
        seconds = longest if spec.audio.seconds is None else spec.audio.seconds
        length = -(-hears.frames(int(np.ceil(seconds * hears.rate))) // spec.audio.stack)
        mean, std = heard_sounds.moments(hears.levels(clip) for clip in clips)
        return cls(hears, spec.audio.stack, length, tuple(mean.tolist()), tuple(std.tolist()), guesses)

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, length, S * M) uint8 and (B, 1) int64 frames of each. Raises InputError LL029 for a clip longer than `length`."""
        heard_sounds.refuse_other(raw)
        out = np.zeros((len(raw), self.length, self.stack * self.hears.mels), np.uint8)
        lengths = np.zeros((len(raw), 1), np.int64)
        for place, clip in enumerate(raw):
            frames = self._frames(clip)
            if len(frames) > self.length:
                raise self._too_long(clip)
            out[place, : len(frames)], lengths[place] = frames, len(frames)
        return out, lengths

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """(B, T, S * M) float32, T the longest of this batch, standardised, zeros behind each end; and the lengths (B,) int64."""
        levels, lengths = stored
        frames = levels.to(torch.float32)
        mean, std = (torch.tensor(values, device=levels.device).repeat(self.stack) for values in (self.mean, self.std))
        inside = torch.arange(levels.shape[1], device=levels.device) < lengths
        return (frames - mean) / std * inside[..., None], lengths[:, 0]

    def lengths(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return torch.cat([stored[1], torch.ones_like(stored[1])], dim=1)

    def to_dict(self) -> dict[str, Any]:
        own = {"stack": self.stack, "length": self.length, "mean": list(self.mean), "std": list(self.std)}
        return {"kind": self.kind, **self.hears.to_dict(), **own}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        return cls(LogMel.from_dict(fields), int(fields["stack"]), int(fields["length"]), mean, std)

    def _frames(self, clip: tuple[np.ndarray, int]) -> np.ndarray:
        """(T, S * M) uint8; what is missing to the last frame is silence."""
        levels = self.hears.levels(clip).T
        spare = -len(levels) % self.stack
        return np.pad(levels, ((0, spare), (0, 0))).reshape(-1, self.stack * self.hears.mels)

    def _too_long(self, clip: tuple[np.ndarray, int]) -> InputError:
        samples, rate = clip
        most = self.length * self.stack * self.hears.hop / self.hears.rate
        return InputError(
            "LL029",
            f"a sound lasts {len(samples) / rate:.1f} s, and the model hears up to {most:.1f} s",
            where="input",
            help=f"cut it into pieces, or train with  data.audio.seconds={np.ceil(len(samples) / rate):g}",
        )
