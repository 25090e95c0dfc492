"""Opened sounds: every file heard once, what is odd about them said, samples kept while they are few."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from leadline.base.errors import InputError
from leadline.data import sound
from leadline.data.labelled_pictures import count_sides, problem
from leadline.data.source import Examples
from leadline.record.facts import AudioFacts, Facts, Problem

KEEP_BYTES = 256 * 2**20
"""Samples up to this size are kept from the first hearing, so that small sets are decoded only once."""
_CHUNK = 32  # files per task: a task per file would cost more than a small file

Clip = tuple[np.ndarray, int]
"""(n,) float32 mono samples, and how many there are to a second."""


@dataclass(frozen=True)
class Heard:
    """What one file showed, or why it cannot be used."""

    reason: str | None = None
    hash: int = 0
    rate: int = 0
    channels: int = 1
    seconds: float = 0.0
    is_silent: bool = False
    is_clipped: bool = False
    samples: np.ndarray | None = None


def hear(path: Path) -> Heard:
    """Decode one file and look at it."""
    try:
        clip = sound.read(path)
    except sound.Unreadable as error:
        return Heard(reason=error.reason)
    return Heard(None, clip.hash, clip.rate, clip.channels, clip.seconds, clip.is_silent, clip.is_clipped, clip.samples)


def hear_all(root: Path, names: Sequence[str], *, keep_bytes: int = KEEP_BYTES) -> list[Heard]:
    """Decode every file once, several at a time; all samples are kept, or none when they are too many."""
    chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        heard: list[Heard] = []
        held = 0
        for chunk in pool.map(lambda part: [hear(root / name) for name in part], chunks):
            held += sum(one.samples.nbytes for one in chunk if one.samples is not None)
            heard += chunk if held <= keep_bytes else [_without_samples(one) for one in chunk]
    return heard if held <= keep_bytes else [_without_samples(one) for one in heard]


def _without_samples(one: Heard) -> Heard:
    return Heard(one.reason, one.hash, one.rate, one.channels, one.seconds, one.is_silent, one.is_clipped)


@dataclass(frozen=True, eq=False)
class Sounds(Examples):
    """Sound files that all could be decoded. columns: what file names or a table say of them beside the label, (N,) each."""

    facts: Facts
    names: Sequence[str]
    targets: np.ndarray | None
    given_split: np.ndarray | None
    root: Path
    heard: Sequence[Heard]
    columns: dict[str, np.ndarray]
    left_out: tuple[tuple[str, str], ...] = ()

    def fetch(self, indices: np.ndarray) -> list[Clip]:
        return [self._clip(int(index)) for index in indices]

    def content_hashes(self) -> np.ndarray:
        return np.array([one.hash for one in self.heard], np.uint64)

    def column(self, name: str) -> np.ndarray:
        if name in self.columns:
            return self.columns[name]
        there = f"there are: {', '.join(self.columns)}" if self.columns else "data.audio.names=label_speaker  brings them"
        raise InputError("LL017", f"there is no column '{name}' beside the sounds", where=self.facts.name, help=there)

    def excluded(self) -> Sequence[tuple[str, str]]:
        return self.left_out

    def _clip(self, index: int) -> Clip:
        kept = self.heard[index]
        return (kept.samples, kept.rate) if kept.samples is not None else read_clip(self.root / self.names[index])


def read_clip(path: str | Path) -> Clip:
    """One file; InputError LL003 when it cannot be read as sound."""
    try:
        clip = sound.read(path)
    except sound.Unreadable as error:
        raise InputError(
            "LL003", f"{path} {error.reason}", where=str(path), help="repair or remove it; `leadline look` finds all of them"
        ) from None
    return clip.samples, clip.rate


def audio_facts(heard: Sequence[Heard]) -> AudioFacts:
    """Rates and lengths of usable files."""
    seconds = np.array([one.seconds for one in heard])
    return AudioFacts(
        dict(sorted(Counter(one.rate for one in heard).items())),
        (float(seconds.min()), float(np.percentile(seconds, 50, method="lower")), float(seconds.max())),
    )


def odd_sounds(names: Sequence[str], heard: Sequence[Heard]) -> list[Problem]:
    """Silent, distorted, many-channelled and differently sampled files, each named."""
    rates = Counter(one.rate for one in heard)
    common = rates.most_common(1)[0][0]
    other = f"another rate than the commonest, {common:,} samples a second; all are brought to one"
    checks: tuple[tuple[str, Literal["suspect", "odd"], list[bool], str], ...] = (
        ("silent_sounds", "suspect", [one.is_silent for one in heard], "are silent throughout (below -80 dB): nothing to hear in them"),
        ("clipped_sounds", "odd", [one.is_clipped for one in heard], "are cut off at full scale in more than 1 % of their samples"),
        ("mixed_down_sounds", "odd", [one.channels > 1 for one in heard], "have several channels; their mean is used"),
        ("other_rates", "odd", [one.rate != common for one in heard], f"have {other}"),
    )
    found = []
    for kind, severity, marks, text in checks:
        places = [name for name, mark in zip(names, marks, strict=True) if mark]
        if places:
            found.append(problem(kind, severity, places, f"{len(places):,} sounds {text}"))
    return found


def left_out(excluded: Iterable[tuple[str, str]]) -> list[Problem]:
    """One problem per reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in excluded:
        by_reason[reason].append(name)
    return [problem("unusable_sounds", "excluded", names, f"left out: each {reason}") for reason, names in sorted(by_reason.items())]


__all__ = ["Clip", "Heard", "Sounds", "audio_facts", "count_sides", "hear_all", "left_out", "odd_sounds", "read_clip"]
