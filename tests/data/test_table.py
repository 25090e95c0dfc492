"""Tables from files: found dialects, judged columns, the target, excluded rows, and every complaint a person can meet."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.tables import column, kinds, opened, refused, rows, write
from leadline.base.errors import LeadlineError
from leadline.data.settings import DataSpec, SplitSpec
from leadline.data.source import recognise
from leadline.data.sources.table import Table
from leadline.data.table import open_table


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
