"""Forecasts in the user's units, CTC against the sum over all its paths, and error rates against counting by hand."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from torch import nn

from leadline.base.errors import InputError
from leadline.evaluate.forecasts import FORECASTS
from leadline.evaluate.metric import metric
from leadline.evaluate.simple import Unfit
from leadline.record.batch import Batch
from leadline.record.facts import Facts, SeriesFacts
from leadline.record.ports import Frames, PlaceClasses, Values
from leadline.tasks import ctc
from leadline.tasks.kinds.forecast_series import ForecastSeries
from leadline.tasks.kinds.transcribe import Transcribe
from leadline.tasks.task import Wishes, restore

SCALES = ((10.0, 2.0), (-1.0, 0.5))


def _series(target: str | None = None, *, loss: str = "auto") -> ForecastSeries:
    about = SeriesFacts("date", 3600.0, "", "", 100, ("load", "oil"), 5, 3, 24)
    return ForecastSeries.bind(Facts("series", "made", 50, target, series=about), np.zeros(40), Wishes(loss, scales=SCALES))


def _windows(count: int = 6) -> Batch:
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(count, 5, 2, generator=draw)
    return Batch((values, torch.full((count,), 5)), torch.randn(count, 6, generator=draw), torch.arange(count), None, count)


class _Says(nn.Module):
    """Answers what it was made with, whatever it is asked."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: torch.Tensor) -> torch.Tensor:
        return self.answer


def test_a_forecast_comes_back_in_each_columns_own_units() -> None:
    task, batch = _series(), _windows()
    assert task.gives == Values(6)
    answers = task.answers(task.predictions(task.keep(batch.target, batch)))
    ahead = batch.target.reshape(6, 3, 2).double().numpy() * [2.0, 0.5] + [10.0, -1.0]
    assert np.allclose([answer["forecast"]["load"] for answer in answers], ahead[..., 0], atol=1e-5)
    assert np.allclose([answer["forecast"]["oil"] for answer in answers], ahead[..., 1], atol=1e-5)
    json.dumps(answers)


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_the_loss_of_one_target_looks_at_its_steps_alone(loss: str) -> None:
    task, batch = _series("oil", loss=loss), _windows()
    assert task.gives == Values(6)  # every column is told; one of them counts
    wrong = batch.target.clone()
    wrong[:, ::2] += 100
    wrong[:, 1::2] += 2
    (found,) = task.losses(_Says(wrong), batch)
    assert found.value.item() == pytest.approx(4 if loss == "mse" else 2, rel=1e-5)
    assert found.units == 6
    assert list(task.answers(task.predictions(task.keep(wrong, batch)))[0]["forecast"]) == ["oil"]
    assert task.each_loss(task.keep(wrong, batch), task.keep_target(batch)) == pytest.approx(np.full(6, 4.0), rel=1e-5)


def test_tasks_come_back_from_their_json() -> None:
    for task in (_series("oil"), _transcribe()):
        again = restore(json.loads(json.dumps(task.to_dict())))
        assert again.to_dict() == task.to_dict()
        assert again.gives == task.gives


def test_data_of_another_kind_is_refused() -> None:
    facts = Facts("audio", "made", 5, "label", "classes", ("a", "b"), (2, 3))
    for kind in (ForecastSeries, Transcribe):
        assert kind.guess(facts) is None
        with pytest.raises(InputError):
            kind.bind(facts, np.array(["a"] * 5, dtype=object))
    for kind in (ForecastSeries, Transcribe):
        with pytest.raises(InputError, match="cross_entropy"):
            kind.bind(_facts_of(kind), np.array(["a"] * 5, dtype=object), Wishes("cross_entropy"))


def _facts_of(kind: type) -> Facts:
    about = SeriesFacts("date", 3600.0, "", "", 100, ("load",), 5, 3, 24)
    return Facts("series", "made", 5, series=about) if kind is ForecastSeries else Facts("audio", "made", 5, "text", "text")


def _transcribe(texts: tuple[str, ...] = ("ab", "a b", "bb")) -> Transcribe:
    return Transcribe.bind(Facts("audio", "made", 3, "text", "text"), np.array(texts, dtype=object), Wishes(takes=Frames(4, 6)))


def _probability(probabilities: np.ndarray, labels: list[int]) -> float:
    """The sum over all paths that the labels fall out of, one by one."""
    total = 0.0
    for path in itertools.product(range(probabilities.shape[1]), repeat=len(probabilities)):
        merged = [label for label, _ in itertools.groupby(path) if label != 0]
        if merged == labels:
            total += float(np.prod([probabilities[place, label] for place, label in enumerate(path)]))
    return total


@pytest.mark.parametrize("labels", [[1], [1, 2], [2, 2], [1, 2, 1]])
def test_ctc_is_the_sum_over_all_paths(labels: list[int]) -> None:
    logits = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(1))
    frames = 5  # the last frame lies behind the end
    padded = torch.tensor([[*labels, ctc.NOTHING, ctc.NOTHING]])
    found = ctc.loss(logits, torch.tensor([frames]), padded).item()
    probabilities = logits[0, :frames].softmax(-1).double().numpy()
    assert found == pytest.approx(-np.log(_probability(probabilities, labels)), rel=1e-4)


def test_the_loss_does_not_depend_on_padding() -> None:
    task = _transcribe()
    logits = torch.randn(3, 6, task.gives.num_classes if isinstance(task.gives, PlaceClasses) else 0)
    target = torch.from_numpy(task.encode(np.array(["ab", "b", "a"], dtype=object)))
    frames = torch.tensor([6, 4, 5])
    (whole,) = task.losses(_Says(logits), Batch((logits, frames), target, torch.arange(3), None, 3))
    wide, more = nn.functional.pad(logits, (0, 0, 0, 3), value=9.0), nn.functional.pad(target, (0, 4), value=-1)
    (again,) = task.losses(_Says(wide), Batch((wide, frames), more, torch.arange(3), None, 3))
    assert again.value.item() == pytest.approx(whole.value.item(), rel=1e-6)
    assert int(whole.units) == 4  # characters, not sounds


def _path(*classes: list[int]) -> torch.Tensor:
    """Logits (B, 6, 5) whose best path is this."""
    codes = torch.tensor([[*row, *[0] * (6 - len(row))] for row in classes])
    return nn.functional.one_hot(codes, 5).float() * 9


def test_the_best_path_is_read_off_with_repeats_merged_and_blanks_dropped() -> None:
    found = ctc.greedy(_path([3, 3, 0, 3, 4, 4], [0, 0, 2, 2, 2, 3], [0]), torch.tensor([6, 5, 6]))
    assert [[label for label in row if label >= 0] for row in found.tolist()] == [[3, 3, 4], [2], []]


def test_what_was_written_stands_beside_what_was_right() -> None:
    task = _transcribe()  # classes: 0 blank, 1 unknown, 2 " ", 3 "a", 4 "b"
    target = torch.from_numpy(task.encode(np.array(["a  b", "ab", "c"], dtype=object)))
    logits = _path([3, 2, 4], [3, 3, 4], [4])
    batch = Batch((logits, torch.tensor([6, 6, 6])), target, torch.arange(3), None, 3)
    kept = task.keep(logits, batch)
    assert task.predictions(kept)["texts"].tolist() == [["a b", "a b"], ["ab", "ab"], ["b", "\ufffd"]]
    assert task.answers(task.predictions(kept))[0] == {"text": "a b"}
    assert task.each_loss(kept, task.keep_target(batch)).shape == (3,)
    unlabelled = Batch(batch.inputs, torch.arange(3), torch.arange(3), None, 3)
    assert task.predictions(task.keep(logits, unlabelled))["texts"].tolist() == [["a b", ""], ["ab", ""], ["b", ""]]


def _edits(said: list[str], right: list[str]) -> int:
    """Levenshtein's distance by its definition."""
    row = list(range(len(right) + 1))
    for place, one in enumerate(said, start=1):
        last, row[0] = row[0], place
        for other in range(1, len(right) + 1):
            last, row[other] = row[other], min(row[other] + 1, row[other - 1] + 1, last + (one != right[other - 1]))
    return row[-1]


def test_error_rates_are_edits_over_what_is_right_of_all_texts_together() -> None:
    pairs = np.array([["one two", "one three two"], ["four", "four"], ["five six", "nine"], ["", "six"]], dtype=object)
    for name, cut in (("wer", str.split), ("cer", list)):
        edits = sum(_edits(cut(said), cut(right)) for said, right in pairs)
        expected = edits / sum(len(cut(right)) for _, right in pairs)
        assert metric(name).score(pairs, np.arange(4)) == pytest.approx(expected)
        counts = np.array([[2.0, 0.0, 1.0, 1.0]])
        drawn = pairs[[0, 0, 2, 3]]
        assert metric(name).resampled(pairs, np.arange(4), counts=counts)[0] == pytest.approx(metric(name).score(drawn, np.arange(4)))


def _waves(steps: int = 400) -> np.ndarray:
    """(N, 30 + 12, 2) windows of two waves of 12 steps, one with a drift."""
    time = np.arange(steps)
    values = np.stack([np.sin(2 * np.pi * time / 12), np.cos(2 * np.pi * time / 12) + 0.01 * time], axis=1)
    return np.stack([values[start : start + 42] for start in range(steps - 42)])


def test_simple_forecasts_do_what_they_say() -> None:
    windows = _waves()
    known, ahead = windows[:, :30], windows[:, 30:]
    repeated = FORECASTS["repeat_last"](12, 12).predict(known)
    assert np.array_equal(repeated, np.repeat(known[:, -1:], 12, axis=1))
    seasonal = FORECASTS["seasonal_naive"](12, 12)
    seasonal.fit(known, ahead)
    assert np.allclose(seasonal.predict(known)[..., 0], ahead[..., 0])
    assert np.allclose(ahead[..., 1] - seasonal.predict(known)[..., 1], 0.12)  # the drift of one season
    long = FORECASTS["seasonal_naive"](20, 12).predict(known)
    assert np.array_equal(long[:, 12:], long[:, :8])


def test_the_linear_forecast_learns_a_wave_with_a_drift() -> None:
    windows = _waves()
    model = FORECASTS["linear"](12, 12)
    model.fit(windows[:250, :30], windows[:250, 30:])
    assert np.abs(model.predict(windows[250:, :30]) - windows[250:, 30:]).max() < 0.02


@pytest.mark.parametrize(("season", "said"), [(1, "no season is known"), (50, "longer than the window")])
def test_a_season_that_does_not_fit_is_said(season: int, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        FORECASTS["seasonal_naive"](12, season).fit(_waves()[:, :30], _waves()[:, 30:])
