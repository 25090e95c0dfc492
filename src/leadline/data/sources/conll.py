"""Words with a tag each, one a line, as the shared tasks of CoNLL have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Examples, Source
from leadline.record.facts import Kind

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec

ENDINGS = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".annotated")


@final
class Conll(Source):
    """A file of one word a line, the word first and its tag last, with an empty line between sentences; or a folder of train, dev and test
    ones.

        EU       B-ORG
        rejects  O

    Between word and tag stand a tab or spaces, and perhaps further columns, which are not read. Lines of -DOCSTART- and comments (#) are
    passed over. Tags of names such as B-ORG, I-ORG are scored by whole names.
    """

    claims: ClassVar[int] = 51
    gives: ClassVar[Kind | None] = "text"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str | Path):
            return None
        path = Path(target)
        files = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
        named = [file.name for file in files if file.is_file() and file.name.lower().endswith(ENDINGS)]
        return f"{named[0]} holds a word and its tag a line, by its name" if named else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        """Raises InputError LL001, LL002 (no words), LL005 (encoding), LL013 (a line without a tag), LL015 (one tag only)."""
        from leadline.data.tagged_words import open_tagged

        return open_tagged(Path(target), spec, endings=ENDINGS)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """120 sentences in which people and places have names."""
        import numpy as np

        draw = np.random.default_rng(0)
        people, places = ("Anna", "Bruno", "Clara", "Diego"), (("Paris",), ("New", "York"), ("Rio",), ("San", "Marino"))
        lines: list[str] = []
        for _ in range(120):
            place = places[int(draw.integers(4))]
            lines += [f"{people[int(draw.integers(4))]}\tB-PER", f"{('saw', 'left', 'likes')[int(draw.integers(3))]}\tO"]
            lines += [f"{word}\t{'B' if first == 0 else 'I'}-LOC" for first, word in enumerate(place)]
            lines += [f"on day {int(draw.integers(1000))}".replace(" ", "\tO\n") + "\tO", ".\tO", ""]
        path = Path(folder) / "travel.conll"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path
