"""What needs no network: always the commonest answer, a linear model, gradient-boosted trees; on the same rows, with the same scores."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadline.evaluate.evaluate import scores
from leadline.evaluate.measured import Baseline
from leadline.evaluate.predictions import Predictions, own_losses, truth_of
from leadline.evaluate.series_baselines import fit_forecasts
from leadline.evaluate.simple import Gbdt, Linear, Majority, SimpleModel, Unfit
from leadline.evaluate.text_baselines import fit_text_baselines
from leadline.record.ports import Classes, Frames, Images, Port, Tokens
from leadline.tasks.kinds.forecast_series import ForecastSeries
from leadline.tasks.task import Task

# Training rows that a baseline sees: enough for its score to settle, few enough for seconds on one core.
MOST_ROWS = 50_000
MOST_IMAGES = 10_000
# Examples fetched at a time, so that large images never stand in memory all at once.
FETCH = 512

Fetch = Callable[[np.ndarray], Sequence[Any]]


def fit_baselines(
    fetch: Fetch,
    targets: np.ndarray,
    *,
    train: np.ndarray,
    test: np.ndarray,
    takes: Port,
    task: Task,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Baseline]:
    """Fit the task's baselines on the training examples and score them on the test examples: {"majority": Baseline, ...}.

    fetch: stored arrays or tensors of given examples (`Store.fetch`): images (B, C, H, W) uint8, or numbers (B, n) and codes (B, k).
    targets: encoded targets of ALL examples. train, test: example numbers. takes: the port the stored arrays make. More than 50,000
    training rows (10,000 images) are sampled with `seed`, and said in the notes.
    """
    if isinstance(task, ForecastSeries) and isinstance(takes, Frames):
        return fit_forecasts(fetch, train=train, test=test, takes=takes, task=task, metrics=metrics)
    if isinstance(takes, Tokens):
        return fit_text_baselines(fetch, targets, train=train, test=test, takes=takes, task=task, metrics=metrics, seed=seed)
    kept, note = _sample(train, takes, seed=seed)
    reduce = Pixels(takes) if isinstance(takes, Images) else _as_arrays
    fitting, asked = _collect(fetch, kept, reduce=reduce), _collect(fetch, test, reduce=reduce)
    truth = truth_of(targets[test], task)
    found = {}
    for name in task.baselines:
        model = _model(name, takes, task=task, seed=seed)
        notes = (note,) if note and name != "majority" else ()
        rows = train if name == "majority" else kept
        result = _run(model, fitting, y=targets[rows], asked=asked)
        found[name] = _score(result, notes, task=task, metrics=metrics, y=targets[test], truth=truth, index=test)
    return found


def _model(name: str, takes: Port, *, task: Task, seed: int) -> SimpleModel:
    num_classes = task.gives.num_classes if isinstance(task.gives, Classes) else None
    if name == "majority":
        return Majority(num_classes)
    if name == "linear":
        return Linear(num_classes, pictures=isinstance(takes, Images))
    return Gbdt(num_classes, pictures=isinstance(takes, Images), seed=seed)


@dataclass(frozen=True)
class _Result:
    said: np.ndarray | None
    seconds: float
    notes: tuple[str, ...]


def _run(model: SimpleModel, fitting: tuple[np.ndarray, ...], *, y: np.ndarray, asked: tuple[np.ndarray, ...]) -> _Result:
    """Fit and predict; a model that says it does not fit the data gives its reason, and warnings of the library become notes."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            model.fit(fitting, y)
            said = model.predict(asked)
        except Unfit as reason:
            return _Result(None, 0.0, (str(reason),))
    notes = tuple(dict.fromkeys(str(warning.message).split("\n")[0].strip() for warning in heard))
    return _Result(said, time.perf_counter() - start, (*model.notes, *notes))


def _score(
    result: _Result,
    notes: tuple[str, ...],
    *,
    task: Task,
    metrics: Sequence[str] | None,
    y: np.ndarray,
    truth: np.ndarray,
    index: np.ndarray,
) -> Baseline:
    if result.said is None:
        return Baseline(False, notes=result.notes)
    if isinstance(task.gives, Classes):
        outputs, losses = {"probabilities": result.said}, own_losses(result.said, y)
    else:
        outputs = {"values": truth_of(result.said.astype(np.float32), task)}
        losses = np.square(result.said.astype(np.float64) - y).reshape(len(y), -1).mean(axis=1)
    predictions = Predictions(outputs, y, truth, index, losses, float(losses.mean()))
    return Baseline(True, scores(predictions, task, metrics=metrics), result.seconds, (*notes, *result.notes), predictions)


def _sample(train: np.ndarray, takes: Port, *, seed: int) -> tuple[np.ndarray, str | None]:
    most = MOST_IMAGES if isinstance(takes, Images) else MOST_ROWS
    if len(train) <= most:
        return train, None
    kept = np.sort(np.random.default_rng(seed).choice(train, size=most, replace=False))
    return kept, f"fitted on {most:,} of {len(train):,} training examples"


def _collect(fetch: Fetch, indices: np.ndarray, *, reduce: Callable[[Sequence[Any]], tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    parts = [reduce(fetch(indices[start : start + FETCH])) for start in range(0, len(indices), FETCH)]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _as_arrays(stored: Sequence[Any]) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(part.cpu() if hasattr(part, "cpu") else part) for part in stored)


@dataclass(frozen=True)
class Pixels:
    """Images (B, C, H, W) to (B, C * h * w) float32 in 0..1, h and w at most 32, each pixel the mean of those it stands for."""

    takes: Images
    side: int = 32

    def __call__(self, stored: Sequence[Any]) -> tuple[np.ndarray, ...]:
        import torch
        from torch.nn.functional import adaptive_avg_pool2d

        images = torch.as_tensor(stored[0]).cpu().float() / 255
        small = adaptive_avg_pool2d(images, (min(self.side, self.takes.height), min(self.side, self.takes.width)))
        return (small.flatten(1).numpy(),)
