"""Intervals and paired differences: repeatable, about as wide as theory has it, and honest about noise."""

from __future__ import annotations

import numpy as np
import pytest

from leadline.evaluate.bootstrap import difference, difference_is_noise, intervals
from leadline.evaluate.evaluate import scores
from leadline.record.resample import FEWEST, draws, mean_difference, percentiles
from leadline.tasks.classification import Classification

from .made import Wine, said, skilled


def test_an_interval_of_accuracy_is_as_wide_as_the_binomial_has_it() -> None:
    found = skilled(800, skill=1.5, seed=0)
    low, high = intervals(found, ["accuracy"])["accuracy"]
    share = float((found.scored.argmax(1) == found.truth).mean())
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 800), rel=0.12)
    assert low < share < high


def test_every_score_lies_in_its_interval() -> None:
    found = skilled(500, skill=2.0, seed=1)
    names = Classification.metrics
    measured = scores(found, Wine().task, metrics=names)
    for name, (low, high) in intervals(found, names).items():
        assert low <= measured[name] <= high, name  # type: ignore[operator]


def test_the_same_seed_gives_the_same_interval() -> None:
    found = skilled(200, skill=1.0, seed=2)
    assert intervals(found, ["roc_auc"], seed=5) == intervals(found, ["roc_auc"], seed=5)
    assert intervals(found, ["roc_auc"], seed=5) != intervals(found, ["roc_auc"], seed=6)


def test_a_score_that_is_not_defined_has_no_interval() -> None:
    one_class = said(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0]))
    assert "roc_auc" not in intervals(one_class, ["accuracy", "roc_auc"])


def test_predictions_that_are_not_finite_have_no_intervals() -> None:
    assert intervals(said(np.array([[np.nan, 1.0]]), np.array([0])), ["accuracy"]) == {}


def test_a_clear_difference_is_real_and_its_direction_is_named() -> None:
    good, bad = skilled(600, skill=3.0, seed=0), skilled(600, skill=1.0, seed=1)
    gap = difference(good, bad, metric_name="accuracy")
    assert gap is not None
    assert not gap.is_noise
    assert gap.first_is_better
    loss = difference(good, bad, metric_name="log_loss")
    assert loss is not None
    assert loss.value < 0
    assert loss.first_is_better


def test_equal_skill_is_called_real_about_once_in_twenty_times() -> None:
    pairs = [(skilled(150, skill=2.0, seed=2 * i), skilled(150, skill=2.0, seed=2 * i + 1)) for i in range(40)]
    assert sum(not difference_is_noise(one, two, metric_name="accuracy") for one, two in pairs) <= 5


def test_the_same_predictions_differ_by_nothing() -> None:
    found = skilled(100, skill=1.0, seed=0)
    gap = difference(found, found, metric_name="macro_f1")
    assert gap is not None
    assert (gap.value, gap.low, gap.high, gap.first_is_better) == (0.0, 0.0, 0.0, False)


def test_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="same examples"):
        difference(skilled(10, skill=1.0, seed=0), skilled(11, skill=1.0, seed=0), metric_name="accuracy")


def test_each_resample_has_as_many_examples_as_there_are() -> None:
    counts = np.concatenate(list(draws(50, seed=0, resamples=120)))
    assert counts.shape == (120, 50)
    assert (counts.sum(axis=1) == 50).all()


def test_large_sets_get_fewer_resamples_but_never_too_few() -> None:
    assert sum(len(part) for part in draws(3_000_000, seed=0, resamples=3)) == 3
    assert FEWEST == 200


def test_percentiles_of_mostly_undefined_values_are_none() -> None:
    assert percentiles(np.array([1.0, np.nan, np.nan])) is None


def test_a_mean_difference_without_examples_is_none() -> None:
    assert mean_difference(np.array([]), np.array([])) is None
