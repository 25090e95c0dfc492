"""Tables whose rows are texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Examples, Source
from leadline.record.facts import Kind

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec


@final
class TextTable(Source):
    """A CSV, TSV, JSONL or Parquet file (or a folder of train, dev and test ones) with a column of texts and one of labels.

    With or without a header. Several columns of text, such as title and description, are joined by a line break. `target=NAME` names the
    column of labels (or its number, from 0); found by itself when it is the only other one. Several columns of 0 and 1 are labels that do
    not exclude each other. Without labels the texts stand alone: to write on, or to fill in. Tables with columns of numbers beside the text
    are read as tables; `task=classify_text` reads them as texts.
    """

    claims: ClassVar[int] = 55
    gives: ClassVar[Kind | None] = "text"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        from leadline.data.table_files import evidence

        if not isinstance(target, str | Path) or evidence(Path(target)) is None:
            return None
        from leadline.data.text_columns import why_texts

        return why_texts(Path(target))

    @classmethod
    def speaks_against(cls, spec: DataSpec) -> str | None:
        return "a target of numbers is a table's" if spec.target_kind == "numbers" else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        """Raises InputError LL001 to LL005, LL013 (malformed rows), LL014 (no text), LL017 (no such column), LL018 (rows without label)."""
        from leadline.data.text_columns import open_texts

        return open_texts(Path(target), spec)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """120 short reviews that praise or blame, with a header."""
        import numpy as np

        draw = np.random.default_rng(0)
        words = {"good": ("splendid", "warm", "clever", "lovely", "moving"), "bad": ("dull", "cold", "stupid", "ugly", "boring")}
        things = ("film", "book", "play", "song", "story", "actor", "ending", "plot")
        lines = ["text\tlabel"]
        for _ in range(120):
            label = ("good", "bad")[int(draw.integers(2))]
            one, two = draw.choice(words[label], 2, replace=False)
            thing, other = draw.choice(things, 2, replace=False)
            lines.append(f"the {thing} was {one} and i found the {other} {two} no. {int(draw.integers(1000))}\t{label}")
        path = Path(folder) / "reviews.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
