"""From what a user names on the command line to raw sounds, texts and series, each with the id that its answer carries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.data.preparers.windows import WindowsPreparer
from leadline.data.series_history import read_history
from leadline.data.sound import READABLE, SUFFIXES
from leadline.data.sound_examples import read_clip
from leadline.data.text_examples import read_text
from leadline.ship.package import Package

SOUNDS_AT_ONCE = 64


def sounds(loaded: Package, inputs: Sequence[str]) -> list[dict[str, Any]]:
    """One answer per sound file, or per sound below a folder."""
    paths = list(_files(inputs))
    answers: list[dict[str, Any]] = []
    for start in range(0, len(paths), SOUNDS_AT_ONCE):
        answers += loaded.predict([read_clip(path) for path in paths[start : start + SOUNDS_AT_ONCE]])
    return [{"id": str(path), **answer} for path, answer in zip(paths, answers, strict=True)]


def texts(loaded: Package, inputs: Sequence[str]) -> list[dict[str, Any]]:
    """One answer per line of each text file, and per text that is no file; a line's id is the file and its number."""
    found: list[tuple[str, str]] = []
    for place, name in enumerate(inputs, start=1):
        if not Path(name).is_file():
            if " " not in name.strip():
                raise InputError(
                    "LL001", f"there is no file {name}", where=name, help='leadline predict RUN texts.txt, or "a text in quotes"'
                )
            found.append((f"text {place}", name))
            continue
        text, _ = read_text(Path(name))
        found += [(f"{name}:{number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    answers = loaded.predict([text for _, text in found])
    return [{"id": name, **answer} for (name, _), answer in zip(found, answers, strict=True)]


def series(loaded: Package, inputs: Sequence[str]) -> list[dict[str, Any]]:
    """One forecast per table, from its last rows on; "after" is the time of the last one."""
    assert isinstance(loaded.preparer, WindowsPreparer)
    answers = []
    for name in inputs:
        known, last = read_history(Path(name), loaded.preparer)
        answers += [{"id": name, "after": last, **answer} for answer in loaded.predict(known)]
    return answers


def _files(inputs: Sequence[str]) -> Iterator[Path]:
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            found = sorted(inner for inner in path.rglob("*") if inner.suffix.lower() in SUFFIXES)
            if not found:
                raise InputError("LL002", f"{path} holds no sounds", where=name, help=f"formats: {READABLE}")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise InputError("LL001", f"there is no file or folder {path}", where=name, help="leadline predict RUN sound.wav")
