"""Tables from files: CSV, TSV, Parquet and JSON lines, and folders of such files that belong together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Examples, Source
from leadline.record.facts import Kind

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec


@final
class Table(Source):
    """Rows of a table: .csv, .tsv, .parquet, .jsonl (text also as .gz), or a folder that holds one such file, or train, val and test ones.

    Separator, quoting, encoding and header are found and said; `data.separator`, `data.encoding` and `data.header` override. `target=NAME`
    names the column to predict (or its number, from 0). Ids, free text, constant and empty columns are not used, and said so;
    `data.keep`, `data.ignore` and `data.categories` override. A table larger than a share of the free memory is kept in a temporary file.
    """

    claims: ClassVar[int] = 60
    gives: ClassVar[Kind | None] = "table"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        from leadline.data.table_files import evidence

        return evidence(Path(target)) if isinstance(target, (str, Path)) else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        from leadline.data.table import open_table

        return open_table(Path(target), spec)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """Wine samples as a CSV with a header, a text column and missing cells: 178 rows, target "class"."""
        from sklearn.datasets import load_wine

        wine: Any = load_wine(as_frame=True)
        frame = wine.frame.rename(columns={"target": "class"})
        frame["class"] = [f"cultivar {label + 1}" for label in frame["class"]]
        frame["shade"] = ["dark" if value > 5 else "light" for value in frame["color_intensity"]]
        frame.loc[frame.index % 25 == 3, "ash"] = None
        path = Path(folder) / "wine.csv"
        frame.to_csv(path, index=False)
        return path
