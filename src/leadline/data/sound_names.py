"""What file names say: a pattern such as label_speaker_index makes each word a column, and is found where it is plain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from leadline.base.errors import InputError
from leadline.record.facts import Guess

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9]*)")
_SEPARATORS = ("_", "-", ".")


@dataclass(frozen=True)
class Named:
    """What names say. columns: field to values, in step with `names`; strange: names that do not follow the pattern."""

    names: list[str]
    columns: dict[str, list[str]]
    strange: list[str]
    guesses: tuple[Guess, ...] = ()


def by_pattern(paths: Sequence[str], pattern: str) -> Named:
    """Read the fields off file names without folder and ending; InputError LL022 for a pattern with repeated words."""
    form = _compiled(pattern)
    found = [(path, form.fullmatch(_stem(path))) for path in paths]
    good = [(path, match.groupdict()) for path, match in found if match]
    if not good:
        raise InputError(
            "LL014",
            f"no file name follows data.audio.names = '{pattern}', such as '{_stem(paths[0])}'",
            where="data.audio.names",
            help="a word for each part, and what stands between them: label_speaker_index",
        )
    columns = {field: [fields[field] for _, fields in good] for field in form.groupindex}
    return Named([path for path, _ in good], columns, [path for path, match in found if not match])


def found_pattern(paths: Sequence[str]) -> Named | None:
    """The pattern that all names share, its label the first part whose values repeat; None where there is none."""
    stems = [_stem(path) for path in paths]
    for separator in _SEPARATORS:
        parts = [stem.split(separator) for stem in stems]
        if len({len(part) for part in parts}) != 1 or len(parts[0]) < 2:
            continue
        for place, values in enumerate(zip(*parts, strict=True)):
            counts = Counter(values)
            if 2 <= len(counts) <= len(paths) / 2 and min(counts.values()) >= 2:
                return _guessed(paths, separator, place, number=len(parts[0]), counts=counts)
    return None


def _guessed(paths: Sequence[str], separator: str, place: int, *, number: int, counts: Counter[str]) -> Named:
    fields = _fields(place, number)
    other = separator.join(_fields(0 if place else 1, number))
    shown = ", ".join(sorted(counts)[:5])
    evidence = f"part {place + 1} of all {len(paths):,} file names has {len(counts)} values that repeat: {shown}"
    named = by_pattern(paths, separator.join(fields))
    rest = [name for name, values in named.columns.items() if name != "label" and 2 <= len(set(values)) <= len(paths) / 2]
    groups = f"; if {rest[0]} is who speaks, data.split.by={rest[0]} keeps each on one side" if rest else ""
    guess = Guess(f"labels from file names, {separator.join(fields)}", evidence, f"data.audio.names={other}{groups}")
    return Named(named.names, named.columns, named.strange, (guess,))


def _fields(label: int, number: int) -> list[str]:
    return ["label" if part == label else f"part{part + 1}" for part in range(number)]


def _compiled(pattern: str) -> re.Pattern[str]:
    plain = re.sub(r"\.(wav|flac|ogg|mp3)$", "", pattern, flags=re.IGNORECASE)
    words = _FIELD.findall(plain)
    if not words or len(set(words)) < len(words):
        what = "names a part twice" if words else "names no part"
        raise InputError(
            "LL022", f"data.audio.names = '{pattern}' {what}", where="data.audio.names", help="data.audio.names=label_speaker_index"
        )
    pieces = _FIELD.split(plain)  # text, word, text, word, ..., text
    return re.compile("".join(f"(?P<{piece}>.+?)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)))


def _stem(path: str) -> str:
    return PurePosixPath(path).stem
