"""Drawing examples again: the counts of a bootstrap, seeded, in slices that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
# Cells of one slice of counts: 32 MB of doubles.
SLICE_CELLS = 4_000_000
# Draws of one bootstrap: about 3 s on one core. Larger sets get fewer resamples, and their intervals are narrow anyway.
MOST_DRAWS = 200_000_000
FEWEST = 200


def draws(num_examples: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[NDArray[np.float64]]:
    """Slices (r, N) of how often each example is drawn, with replacement, in each of `resamples` resamples of the same size."""
    left = max(min(resamples, FEWEST), min(resamples, MOST_DRAWS // max(1, num_examples)))
    generator = np.random.default_rng(seed)
    while left > 0:
        rows = min(left, max(1, SLICE_CELLS // max(1, num_examples)))
        picks = generator.integers(0, num_examples, size=(rows, num_examples))
        picks += np.arange(rows)[:, None] * num_examples
        yield np.bincount(picks.ravel(), minlength=rows * num_examples).reshape(rows, num_examples).astype(np.float64)
        left -= rows


def percentiles(values: NDArray[Any], level: float = 0.95) -> tuple[float, float] | None:
    """The middle `level` share of the values that are numbers; None when fewer than half of them are."""
    kept = values[np.isfinite(values)]
    if len(kept) * 2 <= len(values):
        return None
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_difference(first: NDArray[Any], second: NDArray[Any], *, seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of mean(first) - mean(second) over the same examples (paired); None without examples."""
    if not len(first):
        return None
    gap = first.astype(np.float64) - second.astype(np.float64)
    return percentiles(np.concatenate([counts @ gap / len(gap) for counts in draws(len(gap), seed=seed)]))
