"""The baselines of a series: each forecast that needs no network, fitted on the training windows and scored on the test windows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from leadline.evaluate.evaluate import scores
from leadline.evaluate.forecasts import FORECASTS
from leadline.evaluate.measured import Baseline
from leadline.evaluate.predictions import Predictions
from leadline.evaluate.simple import Unfit
from leadline.record.batch import Batch
from leadline.record.ports import Frames
from leadline.tasks.kinds.forecast_series import ForecastSeries

MOST_WINDOWS = 20_000  # training windows of a fit: they overlap, so more of them tell little that is new
FETCH = 2048  # windows at a time


def fit_forecasts(
    fetch: Callable[[np.ndarray], Sequence[Any]],
    *,
    train: np.ndarray,
    test: np.ndarray,
    takes: Frames,
    task: ForecastSeries,
    metrics: Sequence[str] | None = None,
) -> dict[str, Baseline]:
    """{"repeat_last": Baseline, ...} in the order that the task names them.

    fetch: stored windows (B, W + H, C) of given examples. Of more than 20,000 training windows every n-th is taken, and said in the notes.
    """
    stride = -(-len(train) // MOST_WINDOWS)
    note = (f"fitted on every {stride}th of {len(train):,} training windows",) if stride > 1 else ()
    fitting, asked = _collect(fetch, train[::stride]), _collect(fetch, test)
    return {name: _measured(name, fitting, asked, test, takes=takes, task=task, metrics=metrics, note=note) for name in task.baselines}


def _measured(
    name: str,
    fitting: np.ndarray,
    asked: np.ndarray,
    test: np.ndarray,
    *,
    takes: Frames,
    task: ForecastSeries,
    metrics: Sequence[str] | None,
    note: tuple[str, ...],
) -> Baseline:
    model, window = FORECASTS[name](task.horizon, task.season), takes.length
    start = time.perf_counter()
    try:
        model.fit(fitting[:, :window], fitting[:, window:])
        told = model.predict(asked[:, :window])
    except Unfit as reason:
        return Baseline(False, notes=(str(reason),))
    seconds = time.perf_counter() - start
    batch = Batch((), torch.from_numpy(asked[:, window:]).flatten(1), torch.from_numpy(np.asarray(test, np.int64)), None, len(test))
    kept = task.keep(torch.from_numpy(told.astype(np.float32)).flatten(1), batch)
    target = task.keep_target(batch)
    losses = task.each_loss(kept, target)
    predictions = Predictions(task.predictions(kept), target.numpy(), target.numpy(), test, losses, float(losses.mean()))
    return Baseline(True, scores(predictions, task, metrics=metrics), seconds, note if name == "linear" else (), predictions)


def _collect(fetch: Callable[[np.ndarray], Sequence[Any]], rows: np.ndarray) -> np.ndarray:
    parts = (fetch(rows[start : start + FETCH])[0] for start in range(0, len(rows), FETCH))
    return np.concatenate([np.asarray(part.cpu() if hasattr(part, "cpu") else part) for part in parts])
