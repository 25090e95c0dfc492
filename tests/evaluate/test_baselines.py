"""Baselines: fitted on training rows, scored on the test, bounded, and judged in plain words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from leadline.evaluate import baselines as module
from leadline.evaluate.baselines import Baseline, fit_baselines
from leadline.evaluate.predictions import Predictions
from leadline.evaluate.verdict import verdict
from leadline.record.facts import Facts
from leadline.record.ports import Images, Rows
from leadline.tasks.kinds.classify_images import ClassifyImages

from .made import Diabetes, Wine, skilled


def fitted(data: Wine, train: np.ndarray | None = None) -> dict[str, Baseline]:
    rows = data.train if train is None else train
    return fit_baselines(data.fetch, data.encoded, train=rows, test=data.test, takes=data.takes, task=data.task)


def test_linear_and_trees_beat_the_majority_on_wine() -> None:
    found = fitted(Wine())
    accuracy = {name: baseline.scores["accuracy"] for name, baseline in found.items()}
    assert accuracy["linear"] == pytest.approx(0.98, abs=0.03)
    assert accuracy["majority"] < 0.6 < accuracy["gbdt"]  # type: ignore[operator]


def test_the_majority_says_the_training_shares() -> None:
    data = Wine()
    found = fitted(data)["majority"].predictions
    assert found is not None
    assert np.allclose(found.scored, np.bincount(data.encoded[data.train]) / len(data.train))


def test_numbers_are_predicted_in_the_users_units() -> None:
    data = Diabetes()
    found = fitted(data)
    mean = found["majority"].predictions
    assert mean is not None
    assert mean.scored[0] == pytest.approx(data.raw[data.train].mean(), rel=1e-4)
    assert found["linear"].scores["rmse"] < found["majority"].scores["rmse"]  # type: ignore[operator]
    assert 40 < found["linear"].scores["rmse"] < 65  # type: ignore[operator]


def test_baselines_are_plain_numbers_for_scores_json() -> None:
    fields = fitted(Wine())["linear"].to_dict()
    assert {"loss", "accuracy", "macro_f1", "seconds", "notes"} <= set(fields)
    assert all(isinstance(value, float | list | None) for value in fields.values())


def test_a_class_that_training_never_saw_gets_no_chance_and_no_crash() -> None:
    data = Wine()
    found = fitted(data, data.train[data.encoded[data.train] != 2])
    linear = found["linear"].predictions
    assert linear is not None
    assert linear.scored.shape[1] == 3
    assert (linear.scored[:, 2] == 0).all()


def test_only_the_cap_is_fitted_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 60)
    found = fitted(Wine())
    assert found["linear"].notes[0] == "fitted on 60 of 120 training examples"
    assert found["majority"].notes == ()


def test_a_column_with_too_many_categories_goes_in_as_a_number() -> None:
    data = Wine()
    data.codes = np.arange(len(data.codes), dtype=np.int64)[:, None] * 4
    data.takes = Rows(13, (1000,))
    assert "went in as numbers" in " ".join(fitted(data)["gbdt"].notes)


def test_images_get_a_linear_model_and_a_reason_for_no_trees() -> None:
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None] * 15
    labels = digits.target.astype(str)
    task = ClassifyImages.bind(Facts("images", "digits", len(labels), target_kind="classes", classes=tuple("0123456789")), labels)
    found = fit_baselines(
        lambda rows: (torch.from_numpy(images[rows]),),
        task.encode(labels),
        train=np.arange(600),
        test=np.arange(600, 1000),
        takes=Images(1, 8, 8),
        task=task,
    )
    assert found["linear"].scores["accuracy"] > 0.85  # type: ignore[operator]
    assert not found["gbdt"].examined
    assert "not_examined" in found["gbdt"].to_dict()


def test_large_images_are_brought_to_32_pixels_by_their_means() -> None:
    reduce = module.Pixels(Images(3, 64, 48))
    (pixels,) = reduce([np.full((2, 3, 64, 48), 51, dtype=np.uint8)])
    assert pixels.shape == (2, 3 * 32 * 32)
    assert np.allclose(pixels, 0.2)


def rivals(**skills: float) -> dict[str, Baseline]:
    made = {name: skilled(600, skill=skill, seed=7) for name, skill in skills.items()}
    accuracy = {name: float((found.scored.argmax(1) == found.truth).mean()) for name, found in made.items()}
    return {name: Baseline(True, {"accuracy": accuracy[name]}, predictions=found) for name, found in made.items()}


def judged(network: Predictions, baselines: dict[str, Baseline]) -> str:
    return verdict(network, baselines, task=Wine().task, metric_name="accuracy")


def test_the_verdict_says_when_trees_win() -> None:
    text = judged(skilled(600, skill=1.0, seed=0), rivals(linear=0.5, gbdt=3.0))
    assert text.startswith("trees win here: gradient boosting reaches accuracy 0.9")


def test_the_verdict_says_when_the_network_wins() -> None:
    assert judged(skilled(600, skill=3.0, seed=0), rivals(linear=0.5, gbdt=1.0)).startswith("the network wins here")


def test_the_verdict_says_when_nobody_can_tell() -> None:
    assert judged(skilled(600, skill=2.0, seed=0), rivals(linear=2.0)).startswith("within noise")


def test_the_verdict_says_when_no_baseline_was_measured() -> None:
    absent = {"gbdt": Baseline(False, notes=("too slow",))}
    assert "no baseline was measured" in judged(skilled(60, skill=2.0, seed=0), absent)


def test_the_verdict_is_on_the_score_the_user_put_first() -> None:
    data = Wine()
    found = fit_baselines(
        data.fetch, data.encoded, train=data.train, test=data.test, takes=data.takes, task=data.task, metrics=["macro_f1", "ece"]
    )
    network = found["majority"].predictions
    assert network is not None
    assert "reaches macro_f1" in verdict(network, found, task=data.task)


def test_a_network_without_finite_outputs_is_not_judged() -> None:
    broken = replace(skilled(60, skill=2.0, seed=0), outputs={"probabilities": np.full((60, 3), np.nan)})
    assert "no numbers" in judged(broken, rivals(linear=1.0))
