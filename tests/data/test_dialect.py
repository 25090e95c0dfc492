"""How text falls into cells: separators, quotes, encodings, headers, decimal commas and dates, found or told."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.tables import column, kinds, opened, refused, rows, write
from leadline.data.encoding import find_encoding


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_is_found(tmp_path: Path, separator: str) -> None:
    examples = opened(write(tmp_path / "t.csv", rows(40).replace(",", separator)))
    assert kinds(examples) == {"a": "number", "b": "number", "colour": "category", "label": "target"}


cell = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\ufeff"), min_size=1, max_size=12
)
written = st.lists(st.tuples(cell, cell, st.integers(-5, 5)), min_size=3, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=written,
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path: Path, table: list, separator: str, encoding: str, newline: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator=newline)
    writer.writerows([("first", "second", "third"), *table])
    path = write(tmp_path / "t.csv", out.getvalue(), encoding)
    spec = {
        "separator": separator,
        "header": True,
        "missing": (),
        "categories": ("first", "second"),
        "target": "third",
        "target_kind": "classes",
    }
    examples = opened(path, **spec)
    frame = examples.fetch(np.arange(len(examples)))
    assert frame["first"].tolist() == [row[0] for row in table]
    assert frame["second"].tolist() == [row[1] for row in table]
    assert examples.targets is not None
    assert examples.targets.tolist() == [str(row[2]) for row in table]


def test_cells_may_hold_separators_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'name,size,label\n"Braund, Mr. ""Owen""",1,x\n"two\nlines",2,y\nplain,3,x\n'
    frame = opened(write(tmp_path / "t.csv", text), categories=("name",)).fetch(np.arange(3))
    assert frame["name"].tolist() == ['Braund, Mr. "Owen"', "two\nlines", "plain"]


def test_quotes_after_a_space_still_quote(tmp_path: Path) -> None:
    text = 'a, b, label\n1, "x, y", p\n2, "z", q\n3, w, p\n'
    frame = opened(write(tmp_path / "t.csv", text)).fetch(np.arange(3))
    assert frame["b"].tolist() == ["x, y", "z", "w"]


def test_quote_marks_that_quote_nothing_are_text(tmp_path: Path) -> None:
    text = "".join(f"{'it said' if i % 2 else chr(34) + 'half quoted'}\t{i % 2}\n" for i in range(30))
    examples = opened(write(tmp_path / "t.tsv", text))
    assert len(examples) == 30
    assert any("quote marks" in guess.what for guess in examples.facts.guesses)


def test_spaces_around_cells_and_missing_markers_go(tmp_path: Path) -> None:
    text = "a, b, label\n" + "".join(f"{i}, {'?' if i % 4 == 0 else ' v'}, {i % 2}\n" for i in range(1, 41))
    examples = opened(write(tmp_path / "t.csv", text), keep=("a",))
    assert column(examples, "b").missing == 10
    assert set(examples.fetch(np.arange(40))["b"].dropna()) == {"v"}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Größe,Straße\nschön,Köln\n"),
        ("shift_jis", "名前,市\n田中太郎,東京\n鈴木花子,大阪\n"),
        ("cp1251", "имя,город\nИван,Москва\nМария,Казань\n"),
    ],
)
def test_an_encoding_other_than_utf8_is_found_and_said(tmp_path: Path, encoding: str, text: str) -> None:
    path = write(tmp_path / "t.csv", text * 5, encoding)
    name, guess = find_encoding(path, None)
    assert path.read_bytes().decode(name) == text * 5
    assert guess is not None
    assert guess.override.startswith("data.encoding=")


def test_one_strange_byte_far_into_a_file_is_noticed(tmp_path: Path) -> None:
    text = rows(200_000 // 8) + "1,2,ö,no\n"
    examples = opened(write(tmp_path / "t.csv", text, "cp1252"))
    assert "ö" in examples.fetch(np.array([len(examples) - 1]))["colour"].tolist()


def test_an_encoding_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,label\nö,1\nü,2\n", "cp1252")
    assert refused(path, encoding="utf-8").code == "LL005"
    assert refused(path, encoding="klingon").code == "LL005"


def test_a_table_without_header_counts_its_columns(tmp_path: Path) -> None:
    text = "".join(f"{i % 5}, {i * 1.5}, {'x' if i % 2 else 'y'}\n" for i in range(30))
    examples = opened(write(tmp_path / "t.csv", text))
    assert list(kinds(examples)) == ["column_0", "column_1", "column_2"]
    assert any(guess.what == "no header row" for guess in examples.facts.guesses)
    for target in (0, "0", "column_0"):
        assert opened(tmp_path / "t.csv", target=target).facts.target == "column_0"
    assert opened(tmp_path / "t.csv", target=-1).facts.target == "column_2"
    assert len(opened(tmp_path / "t.csv", header=True)) == 29


def test_columns_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    examples = opened(write(tmp_path / "t.csv", "a,a,label\n1,2,x\n2,3,y\n5,9,x\n"))
    assert list(kinds(examples)) == ["a", "a.1", "label"]
    assert [problem.kind for problem in examples.facts.problems] == ["duplicate_column_names"]


def test_row_names_before_the_first_column_are_seen(tmp_path: Path) -> None:
    text = "a,label\n" + "".join(f"r{i},{i % 9},{'x' if i % 2 else 'y'}\n" for i in range(40))
    examples = opened(write(tmp_path / "t.csv", text))
    assert kinds(examples) == {"row_name": "id", "a": "number", "label": "target"}


def test_a_decimal_comma_is_read_as_one(tmp_path: Path) -> None:
    text = "a;price\n" + "".join(f"{i},25;{i * 2},5\n" for i in range(40))
    examples = opened(write(tmp_path / "t.csv", text))
    assert column(examples, "a").format == ","
    assert examples.fetch(np.array([3]))["a"].tolist() == [3.25]
    assert examples.targets is not None
    assert examples.targets[:2].tolist() == [0.5, 2.5]


@pytest.mark.parametrize(
    ("form", "text"),
    [("ISO8601", "2024-03-%02d"), ("%d.%m.%Y", "%02d.03.2024"), ("%m/%d/%Y", "03/%02d/2024"), ("%d/%m/%Y", "%02d/03/2024")],
)
def test_dates_are_read_in_the_format_that_fits_all(tmp_path: Path, form: str, text: str) -> None:
    body = "".join(f"{text % (i + 1)},{i % 2}\n" for i in range(28))
    examples = opened(write(tmp_path / "t.csv", "when,label\n" + body))
    assert column(examples, "when").format == form
    assert examples.fetch(np.array([27]))["when"].tolist() == [pd.Timestamp("2024-03-28")]


def test_impossible_separators_are_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "t.csv", rows(10)), separator="||").code == "LL022"
