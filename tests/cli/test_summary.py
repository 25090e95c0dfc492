"""What commands say about data, checks, findings and scores."""

from __future__ import annotations

import click

from leadline.cli import summary
from leadline.record.facts import Column, Facts, Guess, ImageSizes, Problem
from leadline.record.finding import Control, Finding

SCORES = {
    "val": {"loss": 0.5, "accuracy": 0.9},
    "test": {"loss": 0.6, "accuracy": 0.88},
    "intervals": {"accuracy": [0.85, 0.91]},
    "headline": "test",
    "baselines": {"majority": {"accuracy": 0.5, "seconds": 0.0, "notes": []}, "gbdt": {"not_examined": "too large"}},
}


def test_a_guess_is_three_lines_with_evidence_and_override() -> None:
    lines = summary.guess_lines(Guess("task classify_table", "column 'y' holds 2 labels", "task=regress_table"))
    assert [line.split(":")[0] for line in lines] == ["guess", "evidence", "override"]


def test_scores_stand_beside_their_interval_and_the_baselines_that_were_run() -> None:
    head, loss, accuracy = summary.score_lines(SCORES)
    assert head.split() == ["val", "test", "95", "%", "interval", "(test)", "majority"]
    assert loss.split() == ["loss", "0.5", "0.6"]
    assert accuracy.split() == ["accuracy", "0.9", "0.88", "0.85", "–", "0.91", "0.5"]


def test_scores_of_other_data_bring_their_own_interval() -> None:
    head, rmse = summary.score_lines({"data": {"rmse": 45100.2, "intervals": {"rmse": [44000.0, 46000.0]}}})
    assert head.split() == ["data", "95", "%", "interval", "(data)"]
    assert rmse.split() == ["rmse", "45,100", "44,000", "–", "46,000"]


def test_a_run_without_scores_has_no_table() -> None:
    assert summary.score_lines({"best_step": 3}) == []


def test_pictures_are_counted_measured_and_named() -> None:
    sizes = ImageSizes((28, 28, 28), (20, 24, 28), {"L": 30})
    parts = {"train": 20, "test": 10}
    facts = Facts("images", "photos", 30, classes=("cat", "dog"), class_counts=(20, 10), images=sizes, given_split=parts)
    assert summary.facts_lines(facts) == [
        "photos: 30 pictures (train 20, test 10)",
        "2 classes: cat 20, dog 10",
        "sizes: 28 × 20–28 pixels, median 28 × 24; colour modes: L 30",
    ]


def test_columns_say_what_is_done_with_them() -> None:
    columns = (
        Column("age", "number", missing=3, unique=40, example="0.016280675727306498", reason="numbers"),
        Column("id", "id", unique=90, example="a1", used=False, reason="each row has its own"),
    )
    head, age, name = summary.facts_lines(Facts("table", "rows.csv", 1, columns=columns))[1:]
    assert head.split()[:4] == ["column", "kind", "missing", "different"]
    assert age.split() == ["age", "number", "3", "40", "0.01628", "numbers"]
    assert name.endswith("not used: each row has its own")


def test_the_worst_problems_come_first_and_long_lists_are_counted() -> None:
    items = tuple(f"{i}.png" for i in range(20))
    problems = [Problem("size", "odd", 1, (), "one is small"), Problem("broken", "excluded", 40, items, "40 are broken")]
    names = "  0.png, 1.png, 2.png, 3.png, 4.png, … 35 more"
    assert summary.problem_lines(problems) == ["excluded: 40 are broken", names, "odd: one is small"]


def test_answers_are_counted() -> None:
    checks = {name: {"answer": answer, "evidence": {}} for name, answer in zip("abc", ["yes", "no", "yes"], strict=True)}
    assert click.unstyle(summary.check_verdict(checks)) == "preflight: 2 yes, 1 no, 0 not examined"


def test_a_finding_ends_with_its_control() -> None:
    finding = Finding("O01", "lr_too_high", "error", "confirmed", "the loss rises", Control("lower it", {"train.optimizer.lr": 0.001}))
    assert [click.unstyle(line) for line in summary.finding_lines([finding.to_dict()])] == [
        "error[O01] lr_too_high (confirmed): the loss rises",
        "  control: lower it   train.optimizer.lr=0.001",
    ]
