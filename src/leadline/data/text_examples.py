"""Opened texts: in memory, fetched in any order; and the files that several sources of texts read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leadline.base.errors import InputError
from leadline.data.encoding import find_encoding, open_bytes
from leadline.data.source import Examples
from leadline.record.facts import Facts, Guess, Problem, TextFacts, TextForm

SIDES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
SHOWN = 20


class TextExamples(Examples):
    """Items 0..N-1 in memory, each a text, or what the form of `facts.text` says. extra: further columns, each (N,)."""

    def __init__(
        self,
        items: Sequence[Any],
        facts: Facts,
        *,
        names: Sequence[str],
        targets: np.ndarray | None = None,
        given_split: np.ndarray | None = None,
        left_out: Sequence[tuple[str, str]] = (),
        extra: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.items, self.facts, self.names, self.targets = items, facts, names, targets
        self.given_split, self._left_out, self._extra = given_split, left_out, extra or {}

    def fetch(self, indices: np.ndarray) -> list[Any]:
        """The items as they are."""
        return [self.items[i] for i in indices]

    def content_hashes(self) -> np.ndarray:
        """Of what goes in: with words their tags, and with pairs the targets, are left out."""
        return np.array([_hash(_content(item)) for item in self.items], np.uint64)

    def column(self, name: str) -> np.ndarray:
        if name in self._extra:
            return self._extra[name]
        return super().column(name)

    def excluded(self) -> Sequence[tuple[str, str]]:
        return self._left_out


def _content(item: Any) -> str:
    """Words come as (words, tags), pairs as (source, target): what is given, not what is asked."""
    if isinstance(item, tuple):
        item = item[0]
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, sort_keys=True)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def text_facts(form: TextForm, texts: Sequence[str]) -> TextFacts:
    """The form, and the lengths of the texts."""
    lengths = sorted(len(text) for text in texts) or [0]
    return TextFacts(form, (lengths[0], lengths[len(lengths) // 2], lengths[-1]))


def read_text(path: Path, encoding: str | None = None) -> tuple[str, Guess | None]:
    """A whole file as text, .gz unpacked, and the guess when it is not UTF-8. Raises InputError LL001, LL002 (empty), LL005."""
    if not path.is_file():
        raise InputError("LL001", f"there is no file {path}", where=str(path), help="check the path")
    name, guess = find_encoding(path, encoding)
    with open_bytes(path) as stream:
        text = stream.read().decode(name)
    if not text.strip():
        raise InputError("LL002", f"{path.name} holds no text", where=str(path), help="name a file with text")
    return text.replace("\r\n", "\n"), guess


def side_of(path: Path) -> str | None:
    """train, val or test, where the file's name says so: train.tsv, dev.conll, sst2_test.tsv."""
    stem = path.name.lower().removesuffix(".gz").split(".")
    words = [word for part in stem for word in part.replace("-", "_").split("_")]
    return next((SIDES[word] for word in words if word in SIDES), next((SIDES[end] for end in ("train",) if stem[0].endswith(end)), None))


def kept_or_refused(
    items: Sequence[Any], is_bad: Sequence[bool], names: Sequence[str], *, most: float, what: str, where: str
) -> tuple[list[int], tuple[Problem, ...]]:
    """Places of usable items, and the problem that names the others; LL003 when their share is above `most` (data.max_excluded)."""
    bad = [place for place, each in enumerate(is_bad) if each]
    if not bad:
        return list(range(len(items))), ()
    shown = tuple(names[place] for place in bad[:SHOWN])
    if len(bad) > most * len(items):
        share = min(1.0, len(bad) / len(items) * 1.001 + 1e-4)
        text = f"{len(bad):,} of {len(items):,} examples {what}: {', '.join(shown[:5])}"
        raise InputError("LL003", text, where=where, help=f"repair or remove them, or leave them out with  data.max_excluded={share:.3g}")
    left = Problem("unusable_texts", "excluded", len(bad), shown, f"{len(bad):,} of {len(items):,} examples {what}, and are left out")
    return [place for place, each in enumerate(is_bad) if not each], (left,)


def split_counts(sides: Sequence[str] | None) -> dict[str, int]:
    """How many examples each given part has, in the order train, val, test."""
    found = [] if sides is None else list(sides)
    return {side: found.count(side) for side in ("train", "val", "test") if side in found}
