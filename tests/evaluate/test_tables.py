"""Tables of predictions: what is written can be read back and counted again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn import metrics as sklearn

from leadline.evaluate.calibration import reliability_of, to_rows
from leadline.evaluate.metric import metric
from leadline.evaluate.predictions import Predictions
from leadline.evaluate.tables import confusion_of, deserve_a_look, per_class_of, surest_wrong, worst, write_predictions

from .made import said, skilled


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_confusion_and_per_class_scores_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    targets, answers = (np.array(side) for side in zip(*pairs, strict=True))
    found = said(np.eye(4)[answers] * 0.9 + 0.025, targets)
    labels = range(4)
    assert np.array_equal(confusion_of(found), sklearn.confusion_matrix(targets, answers, labels=labels))
    expected = sklearn.precision_recall_fscore_support(targets, answers, labels=labels, zero_division=np.nan)
    scores = per_class_of(found)
    for own, theirs in zip((scores.precision, scores.recall, scores.support), (expected[0], expected[1], expected[3]), strict=True):
        assert np.allclose([np.nan if value is None else value for value in own], theirs, equal_nan=True)


def test_predictions_are_written_as_plain_columns(tmp_path: Path) -> None:
    found = said(np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([0, 1]))
    path = write_predictions(tmp_path / "predictions" / "test.parquet", found, names=["a.png", "b.png"], classes=["cat", "dog"])
    rows = parquet.read_table(path).to_pylist()
    assert [(row["name"], row["target"], row["prediction"]) for row in rows] == [("a.png", "cat", "cat"), ("b.png", "dog", "cat")]
    assert rows[1]["p_dog"] == 0.4
    assert rows[1]["loss"] > rows[0]["loss"]


def test_with_many_classes_the_probabilities_are_left_out(tmp_path: Path) -> None:
    labels = [f"class {i}" for i in range(60)]
    found = said(np.full((2, 60), 1 / 60), np.array([3, 59]))
    table = parquet.read_table(write_predictions(tmp_path / "test.parquet", found, names=["a", "b"], classes=labels))
    assert table.column_names == ["index", "name", "target", "prediction", "confidence", "loss"]


def test_numbers_are_written_in_their_units(tmp_path: Path) -> None:
    found = Predictions(
        {"values": np.array([10.0, 20.0])}, np.array([0.1, 0.2]), np.array([11.0, 19.0]), np.arange(2), np.array([1.0, 1.0]), 1.0
    )
    rows = parquet.read_table(write_predictions(tmp_path / "test.parquet", found, names=["1", "2"])).to_pylist()
    assert rows[0] == {"index": 0, "name": "1", "target": 11.0, "prediction": 10.0, "loss": 1.0}


def test_the_worst_come_first_and_the_surest_are_wrong() -> None:
    found = said(np.array([[0.99, 0.01], [0.6, 0.4], [0.2, 0.8]]), np.array([1, 1, 1]))
    assert worst(found).tolist() == [0, 1, 2]
    assert surest_wrong(found).tolist() == [0, 1]
    assert deserve_a_look(found, 1).tolist() == [0]


def test_the_reliability_diagram_holds_every_example_and_its_gap_is_the_ece() -> None:
    found = skilled(300, skill=2.0, seed=0)
    diagram = reliability_of(found)
    assert diagram.count.sum() == 300
    assert diagram.gap == pytest.approx(metric("ece").score(found.scored, found.truth), rel=1e-12)
    assert sum(row["count"] for row in to_rows(diagram)) == 300
