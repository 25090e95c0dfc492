"""Tables from files: found dialects, judged columns, the target, excluded rows, and every complaint a person can meet."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadline.base.errors import InputError, LeadlineError
from leadline.data.encoding import find_encoding
from leadline.data.settings import DataSpec, SplitSpec
from leadline.data.source import recognise
from leadline.data.sources.table import Table
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


def test_the_tiny_example_opens_as_a_table_of_classes(tmp_path: Path) -> None:
    found = recognise(Table.tiny(tmp_path))
    examples = found.source.open(tmp_path / "wine.csv", DataSpec())
    assert (found.name, len(examples), examples.facts.target) == ("table", 178, "class")
    assert examples.facts.classes == ("cultivar 1", "cultivar 2", "cultivar 3")
    assert examples.facts.class_counts == (59, 71, 48)
    assert sum(examples.facts.class_counts) == examples.facts.num_examples == len(examples.targets)


def test_facts_agree_with_the_fetched_rows(tmp_path: Path) -> None:
    examples = opened(write(tmp_path / "t.csv", rows(60)))
    frame = examples.fetch(np.array([5, 0, 59]))
    assert list(frame.columns) == ["a", "b", "colour"]
    assert frame["b"].tolist() == [2.5, 0.0, 29.5]
    assert frame["colour"].tolist() == ["red", "blue", "red"]
    assert list(examples.names[:2]) == ["1", "2"]
    assert examples.names[-1] == "60"
    assert examples.targets is not None
    assert examples.targets[:3].tolist() == ["no", "yes", "no"]


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


def test_parquet_and_json_lines_give_the_rows_of_the_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"a": [1.5, None, 3.0] * 10, "b": ["x", "y", None] * 10, "good": [True, False, True] * 10, "label": [0, 1, 1] * 10}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    records = [{key: None if pd.isna(value) else value for key, value in row.items()} for row in frame.to_dict("records")]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(record) for record in records))
    with gzip.open(tmp_path / "t.csv.gz", "wb") as out:
        out.write((tmp_path / "t.csv").read_bytes())
    everything = [opened(tmp_path / name) for name in ("t.csv", "t.parquet", "t.jsonl", "t.csv.gz")]
    first = everything[0]
    assert first.facts.classes == ("0", "1")
    for other in everything[1:]:
        assert kinds(other) == kinds(first)
        pd.testing.assert_frame_equal(other.fetch(np.arange(30)), first.fetch(np.arange(30)))
        assert (other.content_hashes() == first.content_hashes()).all()
        assert other.targets is not None
        assert other.targets.tolist() == list(first.targets)


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


def test_kinds_of_columns_come_with_reasons(tmp_path: Path) -> None:
    words = ["the quick brown fox", "jumps over a lazy dog", "and runs away from it all"]
    lines = [
        f"{i + 1},{7000000 + i * 3},{words[i % 3]} {i},k{i:05d},same,,{'0' if i % 2 else '00'}{i % 4},{i * 0.3:.2f},{i % 2}"
        for i in range(60)
    ]
    header = "number,client id,comment,ticket,constant,empty,code,amount,label"
    examples = opened(write(tmp_path / "t.csv", "\n".join([header, *lines])))
    expected = ["id", "id", "text", "id", "constant", "empty", "category", "number", "target"]
    assert list(kinds(examples).values()) == expected
    assert all(column.reason for column in examples.facts.columns)
    assert not any(column.used for column in examples.facts.columns if column.kind in ("id", "constant", "empty", "text"))
    said = next(guess for guess in examples.facts.guesses if "not used" in guess.what)
    assert said.override.startswith("data.keep=")


def test_numbers_handed_out_are_ids_even_without_a_name(tmp_path: Path) -> None:
    text = "".join(f"{530000 + i * 17 % 4999},{(i * 37) % 91},{i % 2}\n" for i in range(100))
    assert list(kinds(opened(write(tmp_path / "t.csv", text))).values()) == ["id", "number", "target"]


def test_the_user_overrides_what_columns_are(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id,zip,size,label\n" + "".join(f"{i},{i % 5},{i % 7},{i % 2}\n" for i in range(40)))
    examples = opened(path, keep=("id",), categories=("zip",), ignore=("size",))
    assert {c.name: (c.kind, c.used) for c in examples.facts.columns} == {
        "id": ("number", True),
        "zip": ("category", True),
        "size": ("number", False),
        "label": ("target", True),
    }
    assert examples.fetch(np.array([7]))["zip"].tolist() == ["2"]


def test_a_column_that_makes_the_split_is_no_input(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "person,size,label\n" + "".join(f"p{i % 5},{i % 7},{i % 2}\n" for i in range(40)))
    examples = opened(path, split=SplitSpec(by="person"))
    assert not column(examples, "person").used
    assert examples.column("person")[:2].tolist() == ["p0", "p1"]


def test_text_among_numbers_is_named_not_hidden(tmp_path: Path) -> None:
    text = "a,label\n" + "".join(f"{'many' if i == 17 else i % 50 + 0.5},{i % 2}\n" for i in range(100))
    examples = opened(write(tmp_path / "t.csv", text))
    problem = examples.facts.problems[0]
    assert (problem.kind, problem.severity, problem.count) == ("odd_cells", "odd", 1)
    assert problem.items == ("a, row 18: 'many'",)
    assert column(examples, "a").missing == 1


def test_a_column_with_more_text_stays_a_category(tmp_path: Path) -> None:
    text = "a,label\n" + "".join(f"{'many' if i % 10 == 0 else i % 5},{i % 2}\n" for i in range(100))
    assert column(opened(write(tmp_path / "t.csv", text)), "a").kind == "category"


def test_the_target_is_guessed_by_name_then_by_place(tmp_path: Path) -> None:
    by_name = opened(write(tmp_path / "n.csv", rows(30).replace("a,b", "Species,b", 1)))
    assert by_name.facts.target == "label"
    assert opened(write(tmp_path / "m.csv", rows(30, target="kind"))).facts.target == "kind"
    guess = by_name.facts.guesses[0]
    assert guess.override == "target=NAME"


def test_a_table_of_texts_has_no_target(tmp_path: Path) -> None:
    text = "".join(f"some words about the thing number {i}\tand some more words about {i}\n" for i in range(40))
    examples = opened(write(tmp_path / "t.tsv", text))
    assert examples.facts.target is None
    assert examples.targets is None


def test_few_whole_numbers_are_classes_and_many_are_amounts(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,grade,cost\n" + "".join(f"{i * 0.1:.1f},{i % 4},{i * 13 % 97}\n" for i in range(90)))
    few, many = opened(path, target="grade"), opened(path, target="cost")
    assert (few.facts.target_kind, few.facts.classes) == ("classes", ("0", "1", "2", "3"))
    assert (many.facts.target_kind, many.facts.classes) == ("numbers", ())
    assert opened(path, target="grade", target_kind="numbers").facts.target_kind == "numbers"
    assert opened(path, target="cost", target_kind="classes").facts.target_kind == "classes"
    assert any("data.target_kind" in guess.override for guess in few.facts.guesses)


def test_class_labels_are_text_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    pd.DataFrame({"a": np.arange(40) % 6 * 0.5, "label": [10.0, 9.0, 1.0, 2.0] * 10}).to_parquet(tmp_path / "t.parquet")
    examples = opened(tmp_path / "t.parquet")
    assert examples.facts.classes == ("1", "2", "9", "10")
    assert examples.targets is not None
    assert examples.targets[:2].tolist() == ["10", "9"]


def test_a_misspelt_target_names_the_nearest(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "t.csv", rows(20)), target="colur")
    assert error.code == "LL017"
    assert "colour" in str(error.help)
    assert refused(tmp_path / "t.csv", ignore=("labl",)).code == "LL017"
    assert refused(tmp_path / "t.csv", target=9).code == "LL017"


def test_rows_without_target_stop_unless_allowed(tmp_path: Path) -> None:
    text = "a,label\n" + "".join(f"{i % 9},{'' if i in (3, 7) else i % 2}\n" for i in range(100))
    error = refused(write(tmp_path / "t.csv", text))
    assert error.code == "LL018"
    assert "2 of 100" in error.message
    assert "row 4, row 8" in error.message
    assert "data.max_excluded=0.02" in str(error.help)
    examples = opened(tmp_path / "t.csv", max_excluded=0.02)
    assert len(examples) == 98
    assert [examples.names[i] for i in (2, 3, 6, 97)] == ["3", "5", "9", "100"]
    problem = examples.facts.problems[0]
    assert (problem.kind, problem.severity, problem.count, problem.items) == ("target_missing", "excluded", 2, ("row 4", "row 8"))
    assert [name for name, _ in examples.excluded()] == ["row 4", "row 8"]


def test_text_in_a_target_of_numbers_is_refused_with_its_row(tmp_path: Path) -> None:
    text = "a,price\n" + "".join(f"{i % 9},{'free' if i == 41 else i * 1.5}\n" for i in range(100))
    error = refused(write(tmp_path / "t.csv", text))
    assert error.code == "LL020"
    assert "'free' in row 42" in error.message


def test_columns_asked_for_must_hold_values(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,b,label\n" + "".join(f"{i % 9},,{i % 2}\n" for i in range(30)))
    assert refused(path, categories=("b",)).code == "LL019"
    assert refused(path, target="b").code == "LL019"


def test_rows_of_unequal_length_are_named_by_line(tmp_path: Path) -> None:
    lines = rows(30).splitlines()
    lines[5] += ",extra"
    lines[3] = 'x,"two\nlines",blue,no'
    error = refused(write(tmp_path / "t.csv", "\n".join(lines) + "\n"))
    assert error.code == "LL013"
    assert "line 7 has 5" in error.message
    examples = opened(tmp_path / "t.csv", max_excluded=0.1)
    assert len(examples) == 29
    assert examples.names[4] == "6"
    assert examples.facts.problems[0].items == ("t.csv, line 7",)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", b"", "LL002"),
        ("blank.csv", b"\n\n", "LL002"),
        ("header.csv", b"a,b,label\n", "LL002"),
        ("broken.parquet", b"not parquet at all", "LL013"),
        ("broken.jsonl", b'{"a": 1}\n{"a": \n', "LL013"),
        ("list.jsonl", b"[1, 2]\n", "LL013"),
        ("broken.csv.gz", b"not gzip", "LL013"),
    ],
)
def test_files_that_hold_no_table_are_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).code == code


def test_impossible_separators_are_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "t.csv", rows(10)), separator="||").code == "LL022"


def test_a_folder_with_train_and_test_files_is_one_table(tmp_path: Path) -> None:
    body = [f"{i % 9}, {i * 0.5}, {'<=50K' if i % 3 else '>50K'}" for i in range(60)]
    write(tmp_path / "adult-train.csv", "\n".join(body[:40]) + "\n\n")
    write(tmp_path / "adult-test.csv", "\n".join(f"{line}." for line in body[40:]) + "\n")
    write(tmp_path / "adult.names", "notes")
    assert recognise(tmp_path).name == "table"
    examples = opened(tmp_path)
    assert examples.facts.given_split == {"train": 40, "test": 20}
    assert examples.given_split is not None
    assert examples.given_split[39:41].tolist() == ["train", "test"]
    assert examples.facts.classes == ("<=50K", ">50K")
    problem = examples.facts.problems[0]
    assert (problem.kind, problem.severity, problem.count) == ("label_spelling", "odd", 2)
    assert "'<=50K.' -> '<=50K'" in problem.items
    assert examples.names[40] == "adult-test.csv:1"


def test_labels_that_differ_within_one_file_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "a,label\n" + "".join(f"{i},{'x' if i % 2 else 'x.'}\n" for i in range(20)))
    write(tmp_path / "test.csv", "a,label\n" + "".join(f"{i},{'x' if i % 2 else 'x.'}\n" for i in range(20)))
    assert opened(tmp_path).facts.classes == ("x", "x.")


def test_a_test_file_without_target_is_left_for_predict(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", rows(40))
    write(tmp_path / "test.csv", "\n".join(line.rpartition(",")[0] for line in rows(10).splitlines()))
    examples = opened(tmp_path)
    assert len(examples) == 40
    assert examples.given_split is None
    assert examples.facts.problems[0].kind == "file_without_target"


def test_files_of_one_table_may_order_their_columns_differently(tmp_path: Path) -> None:
    frame = pd.read_csv(write(tmp_path / "train.csv", rows(40)))
    frame[["label", "colour", "b", "a"]].to_csv(tmp_path / "test.csv", index=False)
    examples = opened(tmp_path)
    pd.testing.assert_frame_equal(examples.fetch(np.arange(40)), examples.fetch(np.arange(40, 80)).set_axis(range(40)))
    frame.drop(columns=["a", "b"]).to_csv(tmp_path / "test.csv", index=False)
    assert refused(tmp_path).code == "LL013"


def test_a_folder_with_one_table_is_that_table_and_with_several_asks(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", "notes")
    write(tmp_path / "data.csv", rows(30))
    assert len(opened(tmp_path)) == 30
    write(tmp_path / "more.csv", rows(30))
    error = refused(tmp_path)
    assert error.code == "LL004"
    assert "data.csv" in str(error.help)


def test_a_table_larger_than_memory_gives_the_same_rows_through_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.data.table_reading.BLOCK_BYTES", 4096)
    path = write(tmp_path / "t.csv", rows(3000))
    small, large = open_table(path, DataSpec(), stream_above=1 << 40), open_table(path, DataSpec(), stream_above=0)
    order = np.random.default_rng(0).permutation(3000)
    pd.testing.assert_frame_equal(small.fetch(order), large.fetch(order))
    assert (small.content_hashes() == large.content_hashes()).all()
    assert small.facts.columns == large.facts.columns
    assert large.column("b")[7] == 3.5
    assert len(large.fetch(np.array([], dtype=np.int64))) == 0


def test_a_full_disk_is_said_when_a_table_goes_through_a_file(tmp_path: Path, files_no_larger_than) -> None:
    path = write(tmp_path / "t.csv", rows(3000))
    with files_no_larger_than(1000), pytest.raises(LeadlineError) as caught:
        open_table(path, DataSpec(), stream_above=0)
    assert caught.value.code == "LL008"
