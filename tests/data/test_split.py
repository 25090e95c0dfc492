"""The cut: nothing on one side is known from another, and every share is as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.made import Made
from leadline.base.errors import InputError
from leadline.data.grouping import by_time
from leadline.data.settings import SplitSpec
from leadline.data.split import read, split, verify_disjoint, write


def labels(size: int, *classes: str) -> np.ndarray:
    return np.array(classes)[np.arange(size) % len(classes)]


def cut(examples: Made, *, seed: int = 0, **spec):
    return split(examples, SplitSpec(**spec), seed=seed, strata=examples.targets)


def everything(parts) -> np.ndarray:
    return np.sort(np.concatenate([parts.train, parts.val, parts.test]))


@settings(max_examples=60, deadline=None)
@given(size=st.integers(20, 400), groups=st.integers(8, 400), copies=st.integers(1, 5), seed=st.integers(0, 10), by=st.booleans())
def test_sides_hold_every_example_once_and_part_no_group_and_no_twins(size, groups, copies, seed, by):
    chance = np.random.default_rng(seed)
    columns = {"who": chance.integers(0, groups, size)}
    examples = Made(size, content=chance.integers(0, max(8, size // copies), size), columns=columns)
    parts = split(examples, SplitSpec(by="who" if by else None, content=not by), seed=seed, strata=None)
    assert np.array_equal(everything(parts), np.arange(size))
    assert min(len(rows) for rows in parts.sides().values()) > 0
    units = columns["who"] if by else examples.content
    side = parts.side_of()
    assert all(len(np.unique(side[units == unit])) == 1 for unit in np.unique(units))


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(3, 200), min_size=2, max_size=6), val=st.sampled_from([0.1, 0.3]), test=st.sampled_from([0.0, 0.2]))
def test_classes_stand_on_every_side_in_their_shares(counts, val, test):
    names = np.repeat([f"c{code}" for code in range(len(counts))], counts)
    parts = cut(Made(len(names), targets=names), val=val, test=test)
    for code, count in enumerate(counts):
        for side, share in (("val", val), ("test", test)):
            there = (names[parts.sides()[side]] == f"c{code}").sum()
            assert abs(there - share * count) <= 1
            assert there >= (1 if share else 0)
    assert set(names[parts.train]) == set(names)


def test_the_same_arguments_give_the_same_cut_and_another_seed_another():
    examples = Made(300, targets=labels(300, "a", "b"))
    first, again, other = cut(examples), cut(examples), cut(examples, seed=1)
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_totals_are_what_was_asked_even_with_many_small_classes():
    names = np.repeat([f"c{code:03}" for code in range(100)], 10)
    parts = cut(Made(1000, targets=names))
    assert (len(parts.train), len(parts.val), len(parts.test)) == (700, 150, 150)


def test_groups_of_uneven_size_keep_shares_and_classes_close():
    chance = np.random.default_rng(0)
    who = np.repeat(np.arange(80), chance.integers(1, 40, 80))
    names = np.where(chance.random(len(who)) < 0.2 + 0.6 * (who % 2), "sick", "well")
    parts = cut(Made(len(who), targets=names, columns={"who": who}), by="who")
    for rows, share in zip(parts.sides().values(), (0.7, 0.15, 0.15), strict=True):
        assert abs(len(rows) / len(who) - share) < 0.02
        assert abs((names[rows] == "sick").mean() - (names == "sick").mean()) < 0.05


def test_twenty_rows_are_enough():
    parts = cut(Made(20, targets=labels(20, "a", "b")))
    assert [len(rows) for rows in parts.sides().values()] == [14, 3, 3]


def test_a_share_of_zero_leaves_that_side_empty():
    parts = cut(Made(50, targets=labels(50, "a", "b")), test=0)
    assert len(parts.test) == 0
    assert len(everything(parts)) == 50


def test_a_number_as_target_is_cut_by_the_strata_given():
    values = np.arange(100.0)
    parts = split(Made(100, targets=values), SplitSpec(), seed=0, strata=(values // 10).astype(int))
    assert all(abs(rows.mean() - 49.5) < 6 for rows in parts.sides().values())


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_too_small_for_three_sides_is_named_with_its_count(count):
    names = np.array(["cat"] * 30 + ["dog"] * 30 + ["zebra"] * count)
    with pytest.raises(InputError, match=f"class 'zebra' has {count} example") as error:
        cut(Made(len(names), targets=names))
    assert error.value.code == "LL016"
    assert "stratify=false" in (error.value.help or "")


def test_a_class_whose_examples_are_all_twins_is_refused_by_name():
    names = np.array(["cat"] * 30 + ["rare"] * 5)
    content = np.array([*range(30), *[99] * 5])
    with pytest.raises(InputError, match="class 'rare' has 5 examples, but twins") as error:
        cut(Made(35, targets=names, content=content))
    assert error.value.code == "LL027"


def test_without_stratifying_a_missing_class_is_a_problem_and_no_error():
    names = np.array(["cat"] * 60 + ["zebra"])
    parts = cut(Made(61, targets=names), stratify=False)
    assert [problem.kind for problem in parts.problems] == ["class_missing"]


def test_two_groups_cannot_make_three_sides():
    examples = Made(40, columns={"who": np.arange(40) % 2})
    with pytest.raises(InputError, match=r"would hold no example: 40 examples in 2 groups") as error:
        cut(examples, by="who")
    assert error.value.code == "LL027"


def test_a_missing_group_column_is_named():
    with pytest.raises(InputError) as error:
        cut(Made(40), by="patient")
    assert error.value.code == "LL017"


def test_rows_without_a_group_stand_alone_and_are_counted():
    who = np.array([f"p{number % 20}" for number in range(60)], dtype=object)
    who[:3] = None
    parts = cut(Made(60, columns={"who": who}), by="who")
    assert [(problem.kind, problem.count) for problem in parts.problems] == [("group_missing", 3)]


def test_by_time_the_oldest_train_and_the_newest_test():
    days = np.random.default_rng(0).permutation(200).astype(float)
    parts = cut(Made(200, columns={"day": days}), time="day")
    assert days[parts.train].max() < days[parts.val].min()
    assert days[parts.val].max() < days[parts.test].min()
    assert [len(rows) for rows in parts.sides().values()] == [140, 30, 30]


@settings(max_examples=60, deadline=None)
@given(times=st.lists(st.integers(0, 12), min_size=3, max_size=80).filter(lambda times: len(set(times)) >= 3))
def test_rows_of_one_moment_stand_together_and_no_side_is_empty(times):
    moments = np.array(times)
    side = by_time(moments, (0.7, 0.15, 0.15))
    assert set(side.tolist()) == {0, 1, 2}
    assert (np.diff(side[np.argsort(moments, kind="stable")]) >= 0).all()
    assert all(len(set(side[moments == moment].tolist())) == 1 for moment in set(times))


@pytest.mark.parametrize(
    "dates",
    [
        np.array([f"2024-01-{day:02}" for day in range(1, 31)]),
        np.array([f"{day:02}.03.2024" for day in range(1, 31)]),
        np.arange("2024-01-01", "2024-01-31", dtype="datetime64[D]"),
        np.array([str(number) for number in range(30)]),
    ],
)
def test_dates_are_read_as_text_day_first_as_dates_or_as_numbers(dates):
    parts = cut(Made(30, columns={"when": dates}), time="when")
    assert parts.train.tolist() == list(range(21 if len(parts.val) + len(parts.test) == 9 else len(parts.train)))
    assert parts.test.max() == 29


def test_rows_without_a_time_are_named():
    times = np.arange(30.0)
    times[4] = np.nan
    with pytest.raises(InputError, match="1 rows hold no date or number") as error:
        cut(Made(30, columns={"when": times}), time="when")
    assert "row 5" in (error.value.where or "")


def test_one_moment_cannot_be_cut():
    with pytest.raises(InputError, match="1 different value,") as error:
        cut(Made(30, columns={"when": np.ones(30)}), time="when")
    assert error.value.code == "LL027"


def test_groups_and_time_together_are_a_conflict():
    with pytest.raises(InputError) as error:
        cut(Made(30, columns={"a": np.arange(30), "b": np.arange(30)}), by="a", time="b")
    assert error.value.code == "LL030"


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(InputError, match="leave nothing to train on"):
        cut(Made(30), val=0.5, test=0.5)


def test_the_users_own_column_is_followed_to_the_row():
    own = np.array(["Train", "validation", "test"])[np.arange(30) % 3]
    parts = cut(Made(30, targets=labels(30, "a", "b"), columns={"side": own}), own="side")
    assert parts.train.tolist() == list(range(0, 30, 3))
    assert parts.val.tolist() == list(range(1, 30, 3))


def test_another_word_in_the_users_own_column_is_named():
    own = np.array(["train"] * 20 + ["holdout"] * 10)
    with pytest.raises(InputError, match="says 'holdout' in 10 rows") as error:
        cut(Made(30, columns={"side": own}), own="side")
    assert error.value.code == "LL027"


def test_given_train_and_test_stay_and_validation_is_cut_from_train():
    parts_given = np.array(["train"] * 80 + ["test"] * 20)
    parts = cut(Made(100, targets=labels(100, "a", "b"), given=parts_given))
    assert parts.test.tolist() == list(range(80, 100))
    assert len(parts.val) == 12
    assert parts.val.max() < 80
    assert "val: 15% of the training part" in [guess.what for guess in parts.guesses]


def test_given_train_and_val_keep_val_and_cut_the_test_from_train():
    parts_given = np.array(["train"] * 80 + ["val"] * 20)
    parts = cut(Made(100, targets=labels(100, "a", "b"), given=parts_given))
    assert parts.val.tolist() == list(range(80, 100))
    assert len(parts.test) == 12
    assert any("data.split.test" in guess.override for guess in parts.guesses)


def test_given_parts_can_be_refused():
    parts_given = np.array(["train"] * 10 + ["test"] * 90)
    parts = cut(Made(100, targets=labels(100, "a", "b"), given=parts_given), given=False)
    assert len(parts.train) == 70


def test_given_parts_without_training_are_refused():
    with pytest.raises(InputError) as error:
        cut(Made(20, given=np.array(["test"] * 20)))
    assert error.value.code == "LL027"


def twins_in_given_parts() -> Made:
    content = np.arange(100)
    content[[0, 1, 2]] = [95, 96, 96]
    return Made(100, targets=labels(100, "a", "b"), content=content, given=np.array(["train"] * 80 + ["test"] * 20))


def test_twins_across_given_parts_are_told_and_stay():
    examples = twins_in_given_parts()
    parts = cut(examples)
    assert np.array_equal(everything(parts), np.arange(100))
    told = {problem.kind: problem for problem in parts.problems}["twins_across_split"]
    assert told.severity == "suspect"
    assert "row 96" in told.items
    assert "drop_twins" in told.explanation
    assert not verify_disjoint(parts, examples)["clean"]


def test_twins_across_given_parts_are_left_out_of_training_when_asked():
    examples = twins_in_given_parts()
    parts = cut(examples, drop_twins=True)
    assert not set(everything(parts)) & {0, 1, 2}
    assert [(problem.kind, problem.severity, problem.count) for problem in parts.problems] == [("twins_left_out", "excluded", 3)]
    assert verify_disjoint(parts, examples)["clean"]


def test_few_valued_rows_are_not_taken_for_copies_unless_the_user_says_so():
    examples = Made(400, targets=labels(400, "a", "b"), content=np.arange(400) // 2 % 6)
    parts = cut(examples)
    assert any("equal rows may stand" in guess.what for guess in parts.guesses)
    assert verify_disjoint(parts, examples)["clean"]
    with pytest.raises(InputError):
        cut(Made(400, targets=np.where(np.arange(400) // 2 % 6 < 2, "a", "b"), content=examples.content), content=True)


def test_where_equal_rows_chain_all_groups_the_groups_win():
    who = np.repeat(np.arange(50), 4)
    content = np.arange(200)
    content[4::4] = content[3:-4:4]
    examples = Made(200, targets=labels(200, "a", "b"), content=content, columns={"who": who})
    parts = cut(examples, by="who")
    assert any("groups of who stay whole" in guess.what for guess in parts.guesses)
    assert verify_disjoint(parts, examples)["groups_disjoint"]


def test_the_proof_finds_what_the_cut_did_not_do():
    examples = Made(60, targets=labels(60, "a", "b"), columns={"who": np.arange(60) % 30})
    parts = cut(examples, by="who")
    evidence = verify_disjoint(parts, examples)
    assert evidence["clean"]
    assert evidence["content_shared"] == {"train/val": 0, "train/test": 0, "val/test": 0}
    object.__setattr__(parts, "val", np.sort(np.append(parts.val, parts.train[0])))
    assert not verify_disjoint(parts, examples)["indices_disjoint"]
    assert not verify_disjoint(parts, examples)["clean"]


def test_a_written_split_is_read_back_whole(tmp_path):
    examples = twins_in_given_parts()
    parts = cut(examples, drop_twins=True)
    write(parts, examples, tmp_path)
    back = read(tmp_path)
    assert back.hashes() == parts.hashes()
    assert back.guesses == parts.guesses
    assert back.problems == parts.problems
    assert (back.how, back.by, back.together) == (parts.how, parts.by, parts.together)
    assert [path.name for path in tmp_path.iterdir()] == ["split.parquet"]
    import pandas as pd

    table = pd.read_parquet(tmp_path / "split.parquet")
    assert list(table.columns) == ["index", "name", "side", "hash"]
    assert (table["side"] == "left out").sum() == 3


def test_a_damaged_split_file_is_an_error_for_people(tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path)
    (tmp_path / "split.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert error.value.code == "LL011"
