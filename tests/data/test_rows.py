"""Rows made ready: learnt from training rows only, matched by name, the same again from JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rtdl_num_embeddings
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.base.errors import InputError
from leadline.data.number_scaling import MOST_BINS, Scaling, bins
from leadline.data.preparers.rows import RowsPreparer, frame_from
from leadline.data.settings import DataSpec
from leadline.data.table import open_frame, open_table
from leadline.data.table_examples import TableExamples
from leadline.data.table_reading import read_frame

WORDS = st.sampled_from(["red", "green", "blue", "grey"])
RECORD = st.fixed_dictionaries({"size": st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), "colour": st.none() | WORDS})


def made(rows: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.standard_normal(rows) * 10 + 5,
            "wage": np.exp(rng.standard_normal(rows) * 3),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "day": pd.date_range("2023-11-01", periods=rows, freq="5D"),
            "note": [f"words of some note {i}" if i % 3 else None for i in range(rows)],
            "id": np.arange(rows),
            "label": rng.choice(["x", "y"], rows),
        }
    )
    frame.loc[::9, "size"] = np.nan
    frame.loc[::7, "colour"] = None
    return frame


def opened(frame: pd.DataFrame, **settings: Any) -> TableExamples:
    return open_frame(frame, DataSpec(target="label", **settings), name="made")


def fitted(examples: TableExamples, train: np.ndarray | None = None, **settings: Any) -> RowsPreparer:
    return RowsPreparer.fit(examples, np.arange(len(examples)) if train is None else train, DataSpec(target="label", **settings))


def test_each_column_gives_the_inputs_of_its_kind() -> None:
    preparer = fitted(opened(made()))
    found = [(one.column, one.part) for one in preparer.numbers]
    parts = [("day", part) for part in ("year", "month", "weekday", "days")]
    assert found == [("size", "value"), ("size", "missing"), ("wage", "value"), *parts, ("note", "given")]
    assert [one.values for one in preparer.categories] == [("blue", "green", "red")]
    assert preparer.gives.num_numbers == 8
    assert preparer.gives.category_sizes == (4,)
    assert preparer.used_columns == ("size", "wage", "colour", "day", "note")


@pytest.mark.parametrize("numbers", ["standard", "quantile"])
def test_training_numbers_come_out_centred_and_finite(numbers: Any) -> None:
    examples = opened(made())
    preparer = fitted(examples, numbers=numbers)
    stored, codes = preparer.store(examples.fetch(np.arange(80)))
    assert (stored.dtype, codes.dtype) == (np.float32, np.int64)
    assert np.isfinite(stored).all()
    values = stored[:, [place for place, one in enumerate(preparer.numbers) if one.part == "value"]]
    assert np.abs(values.mean(0)).max() < 0.1
    assert np.abs(values.std(0) - 1).max() < 0.15
    assert np.abs(values).max() < (3 if numbers == "quantile" else 9)


def test_inputs_pass_rows_through() -> None:
    examples = opened(made())
    preparer = fitted(examples)
    tensors = tuple(torch.from_numpy(part) for part in preparer.store(examples.fetch(np.arange(5))))
    assert preparer.inputs(tensors) is tensors


@settings(max_examples=25, deadline=None)
@given(others=st.lists(RECORD, min_size=1, max_size=8))
def test_rows_outside_training_change_nothing(others: list[dict[str, Any]]) -> None:
    base = made(40)[["size", "colour", "label"]]
    changed = base.copy()
    for place, other in enumerate(others):
        changed.loc[30 + place, "size"] = other["size"]
        changed.loc[30 + place, "colour"] = other["colour"]
    train = np.arange(30)
    assert fitted(opened(base), train).to_dict() == fitted(opened(changed), train).to_dict()


@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORD, min_size=1, max_size=6), order=st.permutations(["size", "colour", "wage", "day", "note", "id"]))
def test_the_order_of_columns_does_not_matter(records: list[dict[str, Any]], order: list[str]) -> None:
    examples = opened(made(40))
    preparer = fitted(examples)
    frame = examples.fetch(np.arange(len(records)))
    frame["size"] = [record["size"] for record in records]
    for one, other in zip(preparer.store(frame), preparer.store(frame[order]), strict=True):
        assert np.array_equal(one, other)


def test_the_preparer_reads_back_from_json_to_the_bit() -> None:
    examples = opened(made())
    preparer = fitted(examples)
    again = RowsPreparer.from_dict(json.loads(json.dumps(preparer.to_dict())))
    assert again == preparer
    for one, other in zip(preparer.store(examples.fetch(np.arange(80))), again.store(examples.fetch(np.arange(80))), strict=True):
        assert np.array_equal(one, other)


def test_unseen_and_missing_categories_share_code_nought() -> None:
    examples = opened(made())
    frame = examples.fetch(np.array([1, 1, 1, 1]))
    frame["colour"] = ["red", "violet", None, "?"]
    assert fitted(examples).store(frame)[1][:, 0].tolist() == [3, 0, 0, 0]


def test_a_category_of_numbers_is_the_same_however_it_is_written() -> None:
    frame = made(40)[["size", "label"]].assign(code=np.arange(40) % 4)
    preparer = fitted(opened(frame, categories=("code",)), categories=("code",))
    rows = frame_from([{"size": 1, "code": value} for value in (3, 3.0, "3", "3.50", "three")])
    assert preparer.store(rows)[1][:, 0].tolist() == [4, 4, 4, 0, 0]


def test_missing_columns_are_named_and_extra_ones_told() -> None:
    examples = opened(made())
    preparer = fitted(examples)
    frame = examples.fetch(np.arange(3)).drop(columns=["size", "id"]).assign(shape="round")
    with pytest.raises(InputError) as caught:
        preparer.store(frame)
    assert caught.value.code == "LL029"
    assert "1 column missing: size; not known: shape" in caught.value.message
    assert preparer.unknown_columns(frame) == ["shape"]


def test_text_where_numbers_were_is_refused_with_row_and_value() -> None:
    examples = opened(made())
    frame = examples.fetch(np.arange(3)).astype({"wage": object})
    frame.loc[1, "wage"] = "plenty"
    with pytest.raises(InputError) as caught:
        fitted(examples).store(frame)
    assert caught.value.code == "LL020"
    assert "'plenty' in row 1" in caught.value.message


def test_records_are_rows() -> None:
    examples = opened(made())
    preparer = fitted(examples)
    record = {"size": 3.5, "wage": "2.25", "colour": "red", "day": "2024-01-05", "note": None}
    numbers, codes = preparer.store(record)
    frame = examples.fetch(np.array([0])).assign(size=3.5, wage=2.25, colour="red", day=pd.Timestamp("2024-01-05"), note=None)
    assert np.array_equal(numbers, preparer.store(frame)[0])
    assert codes.tolist() == [[3]]
    with pytest.raises(InputError):
        frame_from([[1, 2]])  # type: ignore[list-item]


def test_a_table_without_usable_columns_is_refused() -> None:
    frame = pd.DataFrame({"note": [f"words of some note {i}" for i in range(40)], "label": ["x", "y"] * 20})
    with pytest.raises(InputError) as caught:
        fitted(opened(frame))
    assert caught.value.code == "LL002"


def test_a_column_constant_in_training_is_no_input() -> None:
    frame = made(40)[["size", "wage", "label"]]
    frame.loc[:29, "wage"] = 1.0
    preparer = fitted(opened(frame), np.arange(30))
    assert "wage" not in preparer.used_columns


def test_bins_are_those_of_rtdl_without_targets() -> None:
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    wanted = rtdl_num_embeddings.compute_bins(torch.from_numpy(values)[:, None], n_bins=MOST_BINS)[0]
    found = bins(values)
    assert len(found) == len(wanted)
    assert np.allclose(found, wanted.numpy(), atol=1e-5)


def test_bins_ascend_within_what_the_network_sees() -> None:
    examples = opened(made())
    preparer = fitted(examples)
    stored, _ = preparer.store(examples.fetch(np.arange(80)))
    for place, edges in enumerate(preparer.gives.bins):
        assert 2 <= len(edges) <= MOST_BINS + 1
        assert (np.diff(edges) > 0).all()
        assert edges[0] <= stored[:, place].min()
        assert edges[-1] >= stored[:, place].max()


@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=60))
def test_normal_scores_keep_the_order_and_stay_bounded(values: list[float]) -> None:
    column = np.array(values)
    scaling = Scaling.fit(column, "quantile")
    if scaling is None:
        assert len(np.unique(column)) == 1
        return
    scores = scaling(np.concatenate([np.sort(column), [-1e12, 1e12]]))
    assert (np.diff(scores[:-2]) >= -1e-9).all()
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() < 4


def test_new_files_are_read_as_the_training_file_was(tmp_path: Path) -> None:
    lines = [f"{i % 9};{i},5;{'red' if i % 2 else 'blue'};{'x' if i % 3 else 'y'}" for i in range(60)]
    (tmp_path / "train.csv").write_text("\n".join(["a;b;colour;label", *lines]))
    spec = DataSpec()
    examples = open_table(tmp_path / "train.csv", spec)
    preparer = RowsPreparer.fit(examples, np.arange(60), spec)
    (tmp_path / "new.csv").write_text("colour,a,b\nred,1,1.5\n")
    (tmp_path / "comma.csv").write_text("colour;a;b\nred;1;1,5\n")
    for name in ("new.csv", "comma.csv"):
        stored = preparer.store(read_frame(tmp_path / name, preparer))
        assert np.array_equal(stored[0], preparer.store(examples.fetch(np.array([1])))[0])
    (tmp_path / "less.csv").write_text("colour;a\nred;1\n")
    with pytest.raises(InputError) as caught:
        preparer.store(read_frame(tmp_path / "less.csv", preparer))
    assert caught.value.code == "LL029"


def test_new_files_without_header_match_a_training_file_without_header(tmp_path: Path) -> None:
    lines = [f"{i % 9},{'x' if i % 3 else 'y'},{i * 0.5}" for i in range(60)]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    spec = DataSpec(target=1)
    examples = open_table(tmp_path / "train.csv", spec)
    preparer = RowsPreparer.fit(examples, np.arange(60), spec)
    wanted = preparer.store(examples.fetch(np.array([5])))[0]
    for text in ("5,x,2.5\n", "5,2.5\n"):
        (tmp_path / "new.csv").write_text(text)
        assert np.array_equal(preparer.store(read_frame(tmp_path / "new.csv", preparer))[0], wanted)
    (tmp_path / "new.csv").write_text("5\n")
    with pytest.raises(InputError) as caught:
        read_frame(tmp_path / "new.csv", preparer)
    assert caught.value.code == "LL029"
