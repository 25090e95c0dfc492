"""Tables of values over time: the clock found, what is amiss named by rows, windows cut so that no side knows another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from leadline.base.errors import InputError
from leadline.data.audit import audit
from leadline.data.clock import Clock, find_clock
from leadline.data.preparers.windows import WindowsPreparer
from leadline.data.series_history import read_history
from leadline.data.series_windows import Windows
from leadline.data.settings import DataSpec
from leadline.data.source import recognise
from leadline.data.sources.series_table import SeriesTable
from leadline.record.facts import Problem


def _table(rows: int = 400, *, start: str = "2024-01-01", freq: str = "h") -> pd.DataFrame:
    values = np.arange(rows, dtype=float)
    return pd.DataFrame({"date": pd.date_range(start, periods=rows, freq=freq), "load": values, "oil": np.sin(values)})


def _open(table: pd.DataFrame, **settings: Any) -> Windows:
    table.to_csv("series.csv", index=False)
    return SeriesTable.open("series.csv", DataSpec.model_validate(settings))


def _problem(examples: Windows, kind: str) -> Problem:
    return next(problem for problem in examples.facts.problems if problem.kind == kind)


def _refused(table: pd.DataFrame, **settings: Any) -> InputError:
    with pytest.raises(InputError) as refused:
        _open(table, **settings)
    return refused.value


def _clock(freq: str, periods: int = 40) -> Clock:
    found = find_clock(pd.date_range("2023-01-02", periods=periods, freq=freq).to_numpy().astype("datetime64[us]"))
    assert found is not None
    assert np.array_equal(found.places, np.arange(periods))
    assert not found.off.any()
    return found


@pytest.mark.parametrize(
    ("freq", "word", "season"),
    [
        ("15min", "15 minutes", 96),
        ("h", "hour", 24),
        ("D", "day", 7),
        ("B", "working day", 5),
        ("W", "week", 52),
        ("MS", "month", 12),
        ("ME", "month", 12),
        ("QS", "quarter", 4),
        ("YS", "year", 1),
        ("7s", "7 seconds", 1),
    ],
)
def test_the_clock_of_a_table_is_found(freq: str, word: str, season: int) -> None:
    clock = _clock(freq)
    assert (clock.word, clock.season) == (word, season)


def test_times_without_a_clock_are_none() -> None:
    draw = np.random.default_rng(0).integers(1, 10**6, 50).cumsum()
    assert find_clock(np.datetime64("2024-01-01", "us") + draw.astype("timedelta64[s]")) is None


def test_examples_are_windows_of_all_columns() -> None:
    examples = _open(_table(), series={"window": 10, "horizon": 4})
    values = examples.fetch(np.array([0, 3]))
    assert values.shape == (2, 14, 2)
    assert np.array_equal(values[1, :, 0], np.arange(3, 17))
    assert examples.names[0] == "2024-01-01 10:00:00"  # when the forecast begins
    about = examples.facts.series
    assert about is not None
    assert (about.step, about.season, about.rows, about.columns) == (3600, 24, 400, ("load", "oil"))


def test_no_row_stands_on_two_sides() -> None:
    examples = _open(_table(), series={"window": 10, "horizon": 4})
    assert examples.given_split is not None
    rows = {side: set(examples.rows_of(np.flatnonzero(examples.given_split == side))[:, 0]) for side in ("train", "val", "test")}
    assert not rows["train"] & rows["val"]
    assert not rows["val"] & rows["test"]
    assert max(rows["train"]) < min(rows["val"]) < min(rows["test"])
    assert [len(rows[side]) for side in rows] == [280, 60, 60]


def test_parts_by_rows_and_looking_back_are_those_of_published_scores() -> None:
    examples = _open(_table(), series={"window": 10, "horizon": 4, "parts": [200, 60, 60], "reach_back": True})
    assert examples.facts.given_split == {"train": 187, "val": 57, "test": 57}
    test = np.flatnonzero(np.asarray(examples.given_split) == "test")
    assert examples.fetch(test[:1])[0, 10, 0] == 260  # the first forecast of the test part
    assert examples.fetch(test[-1:])[0, -1, 0] == 319


def test_rows_out_of_order_repeated_and_missing_are_named() -> None:
    table = _table()
    table = pd.concat([table.iloc[:50], table.iloc[[60]], table.iloc[50:60], table.iloc[61:200], table.iloc[[120]], table.iloc[210:]])
    examples = _open(table, series={"window": 10, "horizon": 4}, max_excluded=0.01)
    assert _problem(examples, "unsorted_rows").items == ("row 52", "row 201")
    assert _problem(examples, "repeated_times").items == ("row 201",)
    gap = _problem(examples, "gaps")
    assert gap.items == ("row 202: 10 missing after 2024-01-09 07:00:00",)
    assert _problem(examples, "incomplete_windows").count > 0
    assert not np.isnan(examples.fetch(np.arange(len(examples)))).any()


def test_missing_values_break_windows_unless_they_are_filled() -> None:
    table = _table()
    table.loc[100:102, "oil"] = None
    plain = _open(table, series={"window": 10, "horizon": 4})
    assert _problem(plain, "missing_values").items == ("row 101: oil", "row 102: oil", "row 103: oil")
    assert _problem(plain, "incomplete_windows").count == 16
    filled = _open(table, series={"window": 10, "horizon": 4, "fill": "last"})
    assert len(filled) == len(plain) + 16
    assert np.allclose(filled.fetch(np.array([95]))[0, 5:8, 1], np.sin(99))


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"load": "much"}, "LL020", "row 4: 'much'"),
        ({"date": "2024-01-01 00:00:00"}, "LL003", "repeat a time in 'date': rows 4"),
    ],
)
def test_a_bad_cell_is_named_by_its_row(change: dict[str, str], code: str, said: str) -> None:
    table = _table().astype({"load": object, "date": str})
    for column, value in change.items():
        table.loc[3, column] = value
    refused = _refused(table)
    assert refused.code == code
    assert said in refused.message


def test_several_series_below_each_other_are_told_to_stand_side_by_side() -> None:
    refused = _refused(pd.concat([_table(), _table()]))
    assert refused.code == "LL003"
    assert "a column each" in str(refused.help)


def test_tables_that_are_no_series_are_refused() -> None:
    irregular = _table()
    irregular["date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.random.default_rng(0).integers(1, 10**5, 400).cumsum(), unit="s")
    assert _refused(irregular).code == "LL022"
    assert _refused(_table().drop(columns="date")).code == "LL022"
    assert _refused(_table()[["date"]].assign(word="a")).code == "LL020"
    assert _refused(_table(), target="lod").code == "LL017"
    assert _refused(_table(), series={"time": "dat"}).code == "LL017"


def test_parts_too_short_for_one_window_are_refused() -> None:
    refused = _refused(_table(), series={"window": 50, "horizon": 20})
    assert (refused.code, refused.message) == ("LL027", "the val part has 60 steps, and one example takes 50 + 20")
    assert _refused(_table(), series={"parts": [300, 100, 100]}).code == "LL027"


def test_other_cuts_than_by_time_are_refused() -> None:
    for split in ({"given": False}, {"by": "oil"}, {"own": "oil"}):
        assert _refused(_table(), split=split).code == "LL030"


def test_a_series_is_recognised_unless_a_target_says_otherwise() -> None:
    _table().to_csv("series.csv", index=False)
    assert recognise("series.csv").name == "series_table"
    assert recognise("series.csv", DataSpec(target="oil")).name == "table"
    assert recognise("series.csv", DataSpec(target="oil"), kind="series").name == "series_table"
    assert recognise("series.csv", kind="table").name == "table"
    _table().assign(name="a").to_csv("named.csv", index=False)
    assert recognise("named.csv").name == "table"
    assert recognise("named.csv", kind="series").name == "series_table"


def test_statistics_come_from_the_rows_of_training_alone_each_once() -> None:
    examples = _open(_table(), series={"window": 10, "horizon": 4})
    train = np.flatnonzero(np.asarray(examples.given_split) == "train")
    preparer = WindowsPreparer.fit(examples, train, DataSpec())
    assert preparer.mean[0] == pytest.approx(np.arange(280).mean())
    assert preparer.std[0] == pytest.approx(np.arange(280).std())
    stored = tuple(map(torch.from_numpy, preparer.store(examples.fetch(train[:5]))))
    inputs, lengths = preparer.inputs(stored)
    assert inputs.shape == (5, 10, 2)
    assert lengths.tolist() == [10] * 5
    ahead = preparer.targets(stored).reshape(5, 4, 2)[0, :, 0] * preparer.std[0] + preparer.mean[0]
    assert torch.allclose(ahead.double(), torch.arange(10, 14).double(), atol=1e-3)
    assert WindowsPreparer.from_dict(json.loads(json.dumps(preparer.to_dict()))) == preparer


def test_a_column_that_stands_still_cannot_be_standardised() -> None:
    examples = _open(_table().assign(flat=1.0), series={"window": 10, "horizon": 4})
    with pytest.raises(InputError, match=r"'flat' has one value"):
        WindowsPreparer.fit(examples, np.arange(50), DataSpec())


def test_a_file_that_is_to_go_on_is_checked() -> None:
    examples = _open(_table(), series={"window": 10, "horizon": 4})
    preparer = WindowsPreparer.fit(examples, np.arange(50), DataSpec())
    _table(30, start="2025-01-01")[["oil", "date", "load"]].to_csv("new.csv", index=False)
    known, last = read_history(Path("new.csv"), preparer)
    assert (known.shape, last) == ((1, 10, 2), "2025-01-02 05:00:00")
    assert np.array_equal(known[0, :, 0], np.arange(20, 30))
    short, gap = _table(6), _table(30)
    gap.loc[25, "oil"] = None
    bad = [
        (short, "has 6 steps"),
        (gap, "lacks 1 of its last 10"),
        (_table(30, freq="D"), "every day"),
        (_table(30).drop(columns="oil"), "oil"),
    ]
    for table, said in bad:
        table.to_csv("new.csv", index=False)
        with pytest.raises(InputError, match=said) as refused:
            read_history(Path("new.csv"), preparer)
        assert refused.value.code == "LL029"


def test_a_sensor_that_hangs_and_a_column_that_is_another_are_told() -> None:
    table = _table(2000).assign(twin=lambda frame: 3 * frame["oil"] + 1)
    table.loc[500:600, "load"] = 7.0
    found = {problem.kind: problem for problem in audit(_open(table))}
    assert found["stuck_values"].items == ("load: 101 steps from 2024-01-21 20:00:00",)
    assert found["repeated_columns"].items == ("oil ~ twin",)
