"""Rows are appended, cut back and read; a torn line never counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.base.errors import LeadlineError
from leadline.record.journal import Journal

SmallDisk = Callable[[int], AbstractContextManager[None]]

numbers = st.floats(width=64) | st.integers(-(2**53), 2**53)
names = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda name: name != "not_finite")
rows = st.lists(st.dictionaries(names, numbers | st.dictionaries(names, numbers, max_size=3), max_size=4), max_size=8)


def same(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    """Equal, where nan equals nan."""
    return repr(a) == repr(b)


@settings(max_examples=40, deadline=None)
@given(before=rows, after=rows, torn=st.binary(max_size=40).filter(lambda data: b"\n" not in data))
def test_a_journal_cut_at_a_checkpoint_and_written_again_reads_as_if_never_cut(
    tmp_path_factory: pytest.TempPathFactory, before: list[dict[str, Any]], after: list[dict[str, Any]], torn: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "metrics.jsonl"
    journal = Journal(path)
    journal.write(before)
    offset = journal.offset()
    journal.write(after)
    journal.close()
    with path.open("ab") as file:
        file.write(torn)  # the kill came in the midst of a line
    assert same(Journal(path).read(), before + after)
    resumed = Journal(path)
    resumed.cut(offset)
    assert same(resumed.read(), before)
    resumed.write(after)
    assert same(resumed.read(), before + after)
    resumed.close()


def test_a_torn_last_line_goes_before_the_next_row_is_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":1}\n{"step":2,"lo')
    journal = Journal(path)
    journal.write([{"step": 2}])
    journal.close()
    assert path.read_bytes() == b'{"step":1}\n{"step":2}\n'


def test_a_torn_line_longer_than_one_look_goes_too(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":1}\n' + b"x" * 200_000)
    assert Journal(path).offset() == 11
    path.write_bytes(b"x" * 200_000)
    assert Journal(path).offset() == 0


def test_numbers_that_json_cannot_hold_are_null_with_a_word_and_read_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.write([{"step": 3, "loss": math.nan, "lr": np.float32(np.inf), "accuracy": np.float32(0.5)}])
    line = orjson.loads(journal.path.read_bytes())
    assert line == {"step": 3, "loss": None, "lr": None, "accuracy": 0.5, "not_finite": {"loss": "nan", "lr": "inf"}}
    journal.write([{"step": 4, "grad_norms": {"head": math.nan, "stem": 1.0}}])
    inner = orjson.loads(journal.path.read_bytes().splitlines()[1])
    assert inner == {"step": 4, "grad_norms": {"head": None, "stem": 1.0}, "not_finite": {"grad_norms": {"head": "nan"}}}
    row = journal.read()[0]
    assert math.isnan(row["loss"])
    assert row["lr"] == math.inf
    assert "not_finite" not in row


def test_cutting_beyond_the_end_or_into_a_line_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.write([{"step": 1}, {"step": 2}])
    for offset in (5, 1000):
        with pytest.raises(LeadlineError) as caught:
            journal.cut(offset)
        assert caught.value.code == "LL038"
    assert len(journal.read()) == 2
    journal.cut(0)
    assert journal.read() == []


def test_a_damaged_line_is_named_by_number(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":1}\n{"step":x}\n{"step":3}\n')
    with pytest.raises(LeadlineError, match=r"line 2 of metrics.jsonl") as caught:
        Journal(path).read()
    assert caught.value.code == "LL011"


def test_rows_since_an_offset_come_with_the_offset_after_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    assert list(journal.since(0)) == []
    journal.write([{"step": 1}])
    offset = journal.offset()
    journal.write([{"step": 2}])
    assert list(journal.since(offset)) == [({"step": 2}, 2 * offset)]


def test_a_full_disk_keeps_the_rows_before_and_no_half_row(tmp_path: Path, files_no_larger_than: SmallDisk) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.write([{"step": 1}])
    with files_no_larger_than(1000), pytest.raises(LeadlineError) as caught:
        journal.write([{"step": step} for step in range(2, 500)])
    assert caught.value.code == "LL008"
    assert journal.path.read_bytes() == b'{"step":1}\n'
    journal.write([{"step": 2}])
    assert [row["step"] for row in journal.read()] == [1, 2]
