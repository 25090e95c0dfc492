"""Folders of sounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Source
from leadline.record.facts import Kind

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.sound_examples import Sounds

_LOOKED_AT = 2000  # files
_HEAD = 1 << 16  # bytes of a table


@final
class WavFolder(Source):
    """A folder of sounds: one sub-folder per class, or a table of file names with labels or transcripts, or labels in the file names.

        clips/yes/1.wav  clips/no/1.wav                           classes by folder; also below train, val and test
        clips/1.wav  clips/2.wav  clips/labels.csv                a CSV whose rows hold a file name and a label (data.labels, data.target)
        clips/1.wav  clips/transcripts.csv                        file,transcript: what is said, for  task=transcribe
        clips/7_george_12.wav                                     data.audio.names=label_speaker_index; each word is a column:
                                                                  data.split.by=speaker, or data.audio.test={index: [0, 1, 2, 3, 4]}

    WAV, FLAC, Ogg, MP3 and AIFF are read, up to an hour each; several channels are mixed to one. Files that are no sound are left out, each
    named with the reason; above data.max_excluded the program stops. Silent, clipped and differently sampled files are named.
    """

    claims: ClassVar[int] = 52
    gives: ClassVar[Kind | None] = "audio"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str | Path):
            return None
        path = Path(target)
        if path.is_dir():
            found = _first_sound(path)
            return f"{path.name} holds sounds, such as {found}" if found else None
        listed = _first_listed(path) if path.suffix.lower() in (".csv", ".tsv") and path.is_file() else None
        return f"{path.name} lists sounds, such as {listed}" if listed else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Sounds:
        """Open the folder and decode every file once.

        Raises InputError LL001, LL002 (no sound), LL003 (too many unreadable), LL014 (no labels), LL015 (one class), LL017, LL022, LL024
        (soundfile is not installed), LL027, LL030.
        """
        from leadline.data.sound_folder import open_sounds

        return open_sounds(Path(target), spec)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """Forty tones of a quarter of a second, low and high, at any time and loudness, in noise."""
        import numpy as np

        from leadline.base.find import module

        soundfile = module("soundfile")
        root, rate = Path(folder) / "tones", 8000
        draw = np.random.default_rng(0)
        for index in range(40):
            name, pitch = (("low", 300.0), ("high", 1200.0))[index % 2]
            time = np.arange(rate // 4) / rate
            tone = np.sin(2 * np.pi * pitch * draw.uniform(0.9, 1.1) * time) * (time > draw.uniform(0, 0.1))
            samples = tone * draw.uniform(0.2, 0.8) + draw.normal(0, 0.02, len(time))
            path = root / name / f"{index // 2:02}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(str(path), samples.astype(np.float32), rate)
        return root


def _first_sound(root: Path) -> str | None:
    """The relative path of some sound below `root`; quick on any folder."""
    from leadline.data.sound import SUFFIXES

    looked = 0
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            looked += 1
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                return os.path.relpath(os.path.join(folder, name), root)
        if looked >= _LOOKED_AT:
            return None
    return None


def _first_listed(table: Path) -> str | None:
    """The first cell of a table that names a sound which stands beside it."""
    import re

    from leadline.data.sound import SUFFIXES

    endings = "|".join(re.escape(suffix) for suffix in sorted(SUFFIXES))
    with table.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8", errors="replace")
    for cell in re.findall(rf"[^\r\n\t,;\"]+(?:{endings})", head, flags=re.IGNORECASE):
        name = cell.strip().replace("\\", "/")
        if (table.parent / name).is_file() or next(table.parent.rglob(os.path.basename(name)), None) is not None:
            return name
    return None
