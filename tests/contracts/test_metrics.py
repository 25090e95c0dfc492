"""The metrics shelf: each equals scikit-learn, stays in its bounds, knows its direction, and says when it is not defined."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from leadline.base.errors import InputError
from leadline.base.find import names
from leadline.evaluate.metric import Metric, metric, metrics_for

SHELF = [name for name in names("evaluate.metrics") if metric(name).needs in ("probabilities", "values")]
OF_CLASSES = [name for name in SHELF if metric(name).needs == "probabilities"]
OF_VALUES = [name for name in SHELF if metric(name).needs == "values"]

Drawn = tuple[np.ndarray, np.ndarray]


def classes(num_classes: int, *, count: int = 400, seed: int = 0, ties: bool = False) -> Drawn:
    """Probabilities that are somewhat right, and class codes with every class present."""
    generator = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(num_classes), generator.integers(0, num_classes, count - num_classes)])
    logits = generator.normal(size=(count, num_classes)) + 1.5 * np.eye(num_classes)[targets]
    if ties:
        logits = logits.round()
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True), targets


def values(*, count: int = 300, width: int | None = None, seed: int = 0) -> Drawn:
    """Predicted and true numbers far from zero, where careless sums lose digits."""
    generator = np.random.default_rng(seed)
    targets = generator.normal(2000.0, 30.0, size=(count,) if width is None else (count, width))
    return targets + generator.normal(0.0, 10.0, size=targets.shape), targets


def chosen(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=1)


REFERENCE: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda p, t: sklearn.accuracy_score(t, chosen(p)),
    "balanced_accuracy": lambda p, t: sklearn.balanced_accuracy_score(t, chosen(p)),
    "macro_f1": lambda p, t: sklearn.f1_score(t, chosen(p), average="macro", zero_division=0),
    "macro_precision": lambda p, t: sklearn.precision_score(t, chosen(p), average="macro", zero_division=0),
    "macro_recall": lambda p, t: sklearn.recall_score(t, chosen(p), average="macro", zero_division=0),
    "log_loss": lambda p, t: sklearn.log_loss(t, p),
    "roc_auc": lambda p, t: sklearn.roc_auc_score(t, p[:, 1]) if p.shape[1] == 2 else sklearn.roc_auc_score(t, p, multi_class="ovr"),
    "top5_accuracy": lambda p, t: sklearn.top_k_accuracy_score(t, p, k=5),
    "rmse": lambda p, t: sklearn.root_mean_squared_error(t, p),
    "mae": lambda p, t: sklearn.mean_absolute_error(t, p),
    "standardised_mse": lambda p, t: sklearn.mean_squared_error(t, p),
    "standardised_mae": lambda p, t: sklearn.mean_absolute_error(t, p),
    "r2": lambda p, t: sklearn.r2_score(t, p),
}


def examples(name: str) -> list[Drawn]:
    """Data on which the metric is defined."""
    if name in OF_VALUES:
        return [values(), values(width=3, seed=1)]
    sizes = (7, 12) if name == "top5_accuracy" else (2, 3, 10)
    return [classes(size, seed=size, ties=ties) for size in sizes for ties in (False, True)]


def perfect(name: str, drawn: Drawn) -> np.ndarray:
    return drawn[1] if name in OF_VALUES else np.eye(drawn[0].shape[1])[drawn[1]]


@pytest.mark.parametrize("name", SHELF)
def test_a_metric_names_itself_its_needs_and_its_source(name: str) -> None:
    part = metric(name)
    assert isinstance(part, Metric)
    assert (part.needs, part.better) in [(needs, better) for needs in ("probabilities", "values") for better in ("max", "min")]
    page = inspect.getdoc(type(part)) or ""
    assert "scikit-learn" in page or "arXiv" in page or "doi:" in page


@pytest.mark.parametrize("name", [name for name in SHELF if name in REFERENCE])
def test_a_metric_equals_scikit_learn(name: str) -> None:
    for predictions, targets in examples(name):
        assert metric(name).score(predictions, targets) == pytest.approx(REFERENCE[name](predictions, targets), rel=1e-9, abs=1e-9)


def test_every_metric_has_a_reference_to_be_equal_to() -> None:
    assert set(SHELF) - set(REFERENCE) == {"ece"}  # scikit-learn has none; the next test stands for it


def test_ece_equals_the_loop_of_its_paper() -> None:
    probabilities, targets = classes(4, seed=3)
    sure, right = probabilities.max(axis=1), chosen(probabilities) == targets
    expected = 0.0
    for i in range(15):
        inside = (sure > i / 15) & (sure <= (i + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert metric("ece").score(probabilities, targets) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", SHELF)
def test_a_metric_stays_in_its_bounds_and_perfect_predictions_reach_its_better_end(name: str) -> None:
    for drawn in examples(name):
        part = metric(name)
        low, high = part.bounds
        score = part.score(*drawn)
        assert score is not None
        assert low <= score <= high
        best = part.score(perfect(name, drawn), drawn[1])
        assert best == pytest.approx(high if part.better == "max" else low, abs=1e-12)


@pytest.mark.parametrize("name", SHELF)
def test_worse_predictions_score_worse(name: str) -> None:
    for predictions, targets in examples(name):
        part = metric(name)
        good, bad = part.score(predictions, targets), part.score(np.roll(predictions, 7, axis=0), targets)
        assert good is not None
        assert bad is not None
        assert (good > bad) == (part.better == "max")


@pytest.mark.parametrize("name", SHELF)
def test_no_examples_give_no_score(name: str) -> None:
    predictions, targets = examples(name)[0]
    assert metric(name).score(predictions[:0], targets[:0]) is None


@pytest.mark.parametrize("name", SHELF)
@given(seed=st.integers(0, 2**16))
@settings(max_examples=15, deadline=None)
def test_a_resample_scores_as_the_drawn_examples_do(name: str, seed: int) -> None:
    predictions, targets = examples(name)[-1]
    picks = np.random.default_rng(seed).integers(0, len(targets), len(targets))
    counts = np.bincount(picks, minlength=len(targets))[None, :].astype(np.float64)
    whole = metric(name).score(predictions[picks], targets[picks])
    assert metric(name).resampled(predictions, targets, counts=counts)[0] == pytest.approx(np.nan if whole is None else whole, nan_ok=True)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_float32_probabilities_are_scored_in_double(name: str) -> None:
    predictions, targets = examples(name)[0]
    assert metric(name).score(predictions.astype(np.float32), targets) == pytest.approx(metric(name).score(predictions, targets), abs=1e-4)


def test_roc_auc_of_one_class_is_not_defined() -> None:
    probabilities, targets = classes(3)
    assert metric("roc_auc").score(probabilities[:, :2], np.zeros(len(targets), dtype=int)) is None
    assert metric("roc_auc").score(probabilities[targets < 2], targets[targets < 2]) is None


def test_top5_of_five_classes_is_not_defined() -> None:
    assert metric("top5_accuracy").score(*classes(5)) is None


def test_r2_of_equal_targets_is_not_defined() -> None:
    assert metric("r2").score(np.array([1.0, 2.0]), np.array([3.0, 3.0])) is None


def test_macro_scores_leave_out_classes_that_occur_nowhere() -> None:
    probabilities, targets = np.eye(4)[[0, 1, 1]], np.array([0, 1, 0])
    for name in ("macro_f1", "macro_precision", "macro_recall"):
        assert metric(name).score(probabilities, targets) == pytest.approx(REFERENCE[name](probabilities, targets), abs=1e-12)


def test_a_misspelt_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="acuracy") as caught:
        metric("acuracy")
    assert caught.value.code == "LL023"
    assert "accuracy" in str(caught.value.help)


def test_a_metric_of_the_wrong_kind_is_refused_at_the_door() -> None:
    with pytest.raises(InputError, match="rmse") as caught:
        metrics_for(["rmse"], {"probabilities"})
    assert caught.value.code == "LL022"
