"""Plain text files: running text, or one text a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Examples, Source
from leadline.record.facts import Kind

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec


@final
class TextCorpus(Source):
    """A .txt file (or .txt.gz) to learn to write from, or a folder of train.txt, val.txt and test.txt.

    Running text is cut by place: the first 90 % train, the next 5 % validate, the rest tests; then into pieces of as many tokens as the
    network sees at a time (`data.text.length`), such that each character is foretold once. A file of many short lines that are alike, such
    as one name a line, is read as one text a line, and cut at random.
    """

    claims: ClassVar[int] = 54
    gives: ClassVar[Kind | None] = "text"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str | Path):
            return None
        path = Path(target)
        if path.is_file() and path.name.lower().endswith((".txt", ".txt.gz", ".md")):
            from leadline.data.text_reading import looks_like_table

            return None if looks_like_table(path) else f"{path.name} is a text file"
        names = sorted(each.name for each in path.glob("*.txt")) if path.is_dir() else []
        return f"{path.name} holds {', '.join(names)}" if {"train.txt"} <= set(names) else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        """Raises InputError LL001, LL002 (no text), LL005 (encoding), LL027 (too short to be cut)."""
        from leadline.data.text_reading import open_corpus

        return open_corpus(Path(target), spec)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """Thirty thousand characters of sums in words: a small language with rules."""
        import numpy as np

        draw = np.random.default_rng(0)
        ones = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
        tens = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
        words = [f"{ten}-{one}" for ten in tens for one in ones]
        pairs = draw.integers(0, 36, (600, 2))
        sums = [f"{words[one]} and {words[two]} make {words[one + two]}." for one, two in pairs]
        lines = [" ".join(sums[place : place + 4]) + "\n" for place in range(0, len(sums), 4)]
        path = Path(folder) / "sums.txt"
        path.write_text("".join(lines), encoding="utf-8")
        return path
