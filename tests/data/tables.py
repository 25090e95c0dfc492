"""Small tables on disk for the tests of reading them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.base.errors import InputError
from leadline.data.settings import DataSpec
from leadline.data.table import open_table
from leadline.data.table_examples import TableExamples
from leadline.record.facts import Column


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def opened(path: Path, **settings: object) -> TableExamples:
    return open_table(path, DataSpec(**settings))  # type: ignore[arg-type]


def kinds(examples: TableExamples) -> dict[str, str]:
    return {column.name: column.kind for column in examples.facts.columns}


def column(examples: TableExamples, name: str) -> Column:
    return next(column for column in examples.facts.columns if column.name == name)


def refused(path: Path, **settings: object) -> InputError:
    with pytest.raises(InputError) as caught:
        opened(path, **settings)
    assert len(str(caught.value).splitlines()) <= 6
    return caught.value


def rows(count: int, *, target: str = "label") -> str:
    lines = [f"{i % 7},{i * 0.5},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(count)]
    return "\n".join([f"a,b,colour,{target}", *lines]) + "\n"
