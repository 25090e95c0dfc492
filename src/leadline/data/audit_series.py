"""What is odd about a series beyond its rows: columns that stand still for long, and columns that say the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leadline.data.series_windows import Windows
from leadline.data.source import Examples
from leadline.record.facts import Problem

STUCK_SEASONS = 3  # a sensor that says the same for so many seasons is more likely broken than right
STUCK_LEAST = 30  # steps, where seasons are short or unknown
SAME = 0.9999  # correlation of two columns that are one


def audit_series(examples: Examples) -> tuple[Problem, ...]:
    """What is suspect or odd about the values. Pure: the same series, the same answer."""
    if not isinstance(examples, Windows):
        return ()
    return (*_stuck(examples), *_same(examples))


def _stuck(examples: Windows) -> Iterator[Problem]:
    series = examples.series
    least = max(STUCK_LEAST, STUCK_SEASONS * series.clock.season)
    items = []
    for place, name in enumerate(series.names):
        begin, length = _longest_run(series.values[:, place])
        if length >= least:
            items.append(f"{name}: {length:,} steps from {str(series.times[begin]).replace('T', ' ')}")
    if items:
        text = f"{len(items)} columns keep one value for {least:,} steps and more: a sensor that hangs, or missing values that were filled"
        yield Problem("stuck_values", "suspect", len(items), tuple(items[:20]), text)


def _longest_run(values: np.ndarray) -> tuple[int, int]:
    """Begin and length of the longest stretch of one value; missing ones end a stretch."""
    changes = np.flatnonzero(np.concatenate([[True], ~(values[1:] == values[:-1]), [True]]))
    lengths = np.diff(changes)
    longest = int(lengths.argmax())
    return int(changes[longest]), int(lengths[longest])


def _same(examples: Windows) -> Iterator[Problem]:
    values, names = examples.series.values, examples.series.names
    whole = values[~np.isnan(values).any(axis=1)]
    moving = np.flatnonzero(whole.std(axis=0) > 0)
    if len(moving) < 2:
        return
    alike = np.triu(np.abs(np.corrcoef(whole[:, moving], rowvar=False)) > SAME, k=1)
    pairs = [f"{names[moving[a]]} ~ {names[moving[b]]}" for a, b in np.argwhere(alike).tolist()]
    if pairs:
        text = f"{len(pairs)} pairs of columns are one but for scale (data.ignore leaves columns out)"
        yield Problem("repeated_columns", "odd", len(pairs), tuple(pairs[:20]), text)
