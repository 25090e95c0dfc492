"""The metric contract: one number that says how good predictions are, and the shelf it is found on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, Literal

import numpy as np

from leadline.base.errors import InputError
from leadline.base.find import find

Needs = Literal["probabilities", "values", "several", "tokens", "tags", "texts", "pairs"]
Better = Literal["max", "min"]


class Metric(ABC):
    """One score by name; one file of `evaluate/metrics/`, its docstring is its handbook page.

    With needs "probabilities", `score` takes (N, C) class probabilities and (N,) class codes; with "values", (N,) or (N, V) predicted
    and true numbers in the user's units; with "several", (N, C) probabilities of labels that do not exclude each other and (N, C) of 0
    and 1. The other kinds hold their truth themselves, and `targets` is not looked at: "tokens" (N, 4) sums of losses in nats, numbers of
    tokens, of those foretold rightly, and of their characters; "tags" (N, 2) lists of tags said and true; "texts" (N, 2) what was written
    and what was right; "pairs" (N, 2, D) two vectors that belong together. A score that is not defined on the data is None, never 0.
    """

    needs: ClassVar[Needs]
    better: ClassVar[Better]
    bounds: ClassVar[tuple[float, float]]
    """The lowest and the highest number it can give."""
    grows_by_resampling: ClassVar[bool] = False
    """Whether drawing the examples again makes the score larger by itself, so that its interval must be mirrored at the estimate."""

    @abstractmethod
    def score(self, predictions: np.ndarray, targets: np.ndarray) -> float | None:
        """The score over all examples, or None where it is not defined."""

    @abstractmethod
    def resampled(self, predictions: np.ndarray, targets: np.ndarray, *, counts: np.ndarray) -> np.ndarray:
        """(R,) scores, one for each row of `counts` (R, N): how often each example was drawn. NaN where not defined."""


def number_or_none(value: float) -> float | None:
    """A plain finite number, or None for NaN and infinity: JSON has no other word for "not defined"."""
    return float(value) if np.isfinite(value) else None


def metric(name: str) -> Metric:
    """The metric called `name`; InputError LL023 with the nearest name when there is none."""
    part: type[Metric] = find("evaluate.metrics", name)
    return part()


def metrics_for(names: Sequence[str], given: Collection[str]) -> dict[str, Metric]:
    """The named metrics, checked at the door: each exists (LL023), and one at least fits what the task predicts (LL022).

    given: the kinds of predictions that there are; what needs another kind is left out: a text is written at the end only.
    """
    chosen = {name: metric(name) for name in names}
    fitting = {name: part for name, part in chosen.items() if part.needs in given}
    if chosen and not fitting:
        name, part = next(iter(chosen.items()))
        raise InputError(
            "LL022",
            f"metric '{name}' scores {part.needs}, and this task predicts {', '.join(given)}",
            where="evaluate.metrics",
            help="leadline list metrics  shows which scores fit which task",
        )
    return fitting
