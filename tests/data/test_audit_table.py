"""The audit of tables finds what spoils scores, and is silent where there is nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadline.data.audit_table import audit_table
from leadline.data.settings import DataSpec
from leadline.data.sources.sklearn_set import SklearnSet
from leadline.data.table import open_frame, open_frames
from leadline.record.facts import Problem


def made(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.standard_normal(rows), "b": rng.integers(0, 50, rows), "label": rng.choice(["x", "y", "z"], rows)})


def found(frame: pd.DataFrame, target: str = "label", **settings: object) -> dict[str, Problem]:
    spec = DataSpec(target=target, **settings)  # type: ignore[arg-type]
    return {problem.kind: problem for problem in audit_table(open_frame(frame, spec, name="made"))}


def test_an_honest_table_has_no_problems() -> None:
    assert found(made()) == {}
    for name in ("wine", "breast_cancer", "diabetes"):
        assert audit_table(SklearnSet.open(name, DataSpec())) == ()


def test_repeated_rows_are_named() -> None:
    frame = made()
    problem = found(pd.concat([frame, frame.iloc[:3]]))["duplicate_rows"]
    assert (problem.severity, problem.count, problem.items) == ("odd", 3, ("row 201", "row 202", "row 203"))


def test_equal_rows_with_other_labels_cap_what_is_possible() -> None:
    frame = made(199)
    problem = found(pd.concat([frame, frame.iloc[:1].assign(label="other")]))["conflicting_labels"]
    assert problem.count == 2
    assert problem.items == ("row 1", "row 200")
    assert "99.50%" in problem.explanation


def test_rows_on_both_sides_of_a_given_split_are_suspect() -> None:
    train, test = made(), made(50, seed=1)
    examples = open_frames({"train": train, "test": pd.concat([test, train.iloc[:4]])}, DataSpec(target="label"), name="made")
    problem = audit_table(examples)[0]
    assert (problem.kind, problem.severity, problem.count) == ("twins_across_split", "suspect", 4)


def test_a_column_that_gives_a_class_away_is_named_with_its_score() -> None:
    frame = made().assign(
        verdict=lambda data: data["label"].map({"x": "guilty", "y": "free", "z": "open"}),
        score=lambda data: data["label"].map({"x": 0.1, "y": 3.2, "z": 7.5}),
    )
    problem = found(frame)["leak"]
    assert (problem.severity, problem.count) == ("suspect", 2)
    assert problem.items[0].startswith("verdict: 1.000, 0.667 above a constant answer")
    assert "data.ignore=[verdict, score]" in problem.explanation


def test_a_column_that_gives_a_number_away_is_named() -> None:
    frame = made(2000).assign(price=lambda data: data["a"] * 3, euros=lambda data: data["a"] * 2.7 + 1)
    assert {item.split(":")[0] for item in found(frame, "price")["leak"].items} == {"a", "euros"}


def test_missing_cells_alone_can_give_the_answer_away() -> None:
    frame = made()
    frame["paid"] = np.where(frame["label"] == "x", np.nan, 1.0) * np.arange(len(frame)) % 17
    frame["label"] = np.where(frame["label"] == "x", "x", "y")
    assert found(frame)["leak"].count == 1


def test_distinct_numbers_are_not_taken_for_a_leak() -> None:
    frame = made().assign(noise=np.random.default_rng(3).permutation(200) * 1.1)
    assert "leak" not in found(frame)


def test_unequal_classes_and_empty_columns_are_said() -> None:
    frame = made().assign(label=["rare"] * 5 + ["common"] * 195, half=[1.5, 2.5, None, None] * 50, mostly=[2.5, 3.5] + [None] * 198)
    problems = found(frame)
    assert problems["imbalance"].items == ("rare: 5", "common: 195")
    assert "39 times" in problems["imbalance"].explanation
    assert problems["mostly_missing"].items == ("mostly: 99% missing",)


def test_columns_that_are_not_used_are_said() -> None:
    frame = made().assign(number=range(200), same=1, nothing=None, day=pd.date_range("2024-01-01", periods=200))
    kinds = {kind for kind in found(frame) if kind.endswith("_columns")}
    assert kinds == {"id_columns", "constant_columns", "empty_columns", "date_columns"}


def test_the_same_seed_gives_the_same_answer() -> None:
    frame = made(3000)
    examples = open_frame(pd.concat([frame, frame.iloc[:20]]), DataSpec(target="label"), name="made")
    assert audit_table(examples, seed=3) == audit_table(examples, seed=3)


def test_a_nearly_perfect_column_stands_out_where_the_others_tell_little() -> None:
    draw = np.random.default_rng(0)
    answer = draw.integers(0, 2, 2000)
    told = np.where(draw.random(2000) < 0.03, 1 - answer, answer)
    noise = {f"noise_{i}": draw.normal(size=2000) for i in range(4)}
    frame = pd.DataFrame({**noise, "told": told.astype(float), "answer": np.where(answer, "yes", "no")})
    problems = {problem.kind: problem for problem in audit_table(open_frame(frame, DataSpec(target="answer"), name="made"))}
    assert problems["leak"].items[0].startswith("told")
    assert problems["leak"].count == 1
