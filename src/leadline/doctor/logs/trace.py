"""A trace: what a log kept of a training, as series of numbers by name, whoever wrote it. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

VALIDATION = re.compile(r"(^|[/_. -])(val|valid|validation|eval|dev|test)([/_. -]|$)", re.IGNORECASE)
LOSS = re.compile(r"(^|[/_. -])(loss|nll|cross_entropy|objective)([/_. -]|$)", re.IGNORECASE)
LR = re.compile(r"(^|[/_. -])(lr|learning_rate|learning rate)(-\w+)?([/_. -]|$)", re.IGNORECASE)
GRADIENT = re.compile(r"grad(ient)?[_ ]?norm$", re.IGNORECASE)
ACCURACY = re.compile(r"(^|[/_. -])(acc|accuracy)([/_. -]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Series:
    """Values over steps, in order; both (N,). NaN and infinities are kept: that they are there is the news."""

    steps: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def finite(self) -> Series:
        """Without what is no number."""
        keep = np.isfinite(self.values)
        return Series(self.steps[keep], self.values[keep])


@dataclass(frozen=True)
class Trace:
    """kind: which reader ("run", "tensorboard", "trainer_state", "csv"). series: canonical names first ("train/loss", "val/loss", "lr",
    "grad_norm", "val/accuracy"), then whatever else stood there. trivial: the loss of the best constant answer, where it is known.
    """

    name: str
    kind: str
    series: Mapping[str, Series]
    trivial: float | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def get(self, name: str) -> Series | None:
        """A series that has numbers."""
        found = self.series.get(name)
        return found if found is not None and len(found) else None


Points = list[tuple[float, float]]


def series_of(points: Points) -> Series:
    """Points in any order as a series; of a step that stands twice the later value counts."""
    ordered = dict(sorted(points, key=lambda point: point[0]))
    return Series(np.array(list(ordered), dtype=np.float64), np.array(list(ordered.values()), dtype=np.float64))


def named(raw: Mapping[str, Points]) -> dict[str, Series]:
    """Series under canonical names, by what their own names say; of several that fit, the one with the most points."""
    found: dict[str, Series] = {}
    for name, points in raw.items():
        if not points:
            continue
        series, canonical = series_of(points), _canonical(name)
        if canonical is not None and (canonical not in found or len(found[canonical]) < len(series)):
            found[canonical] = series
        if canonical != name:
            found[name] = series
    return dict(sorted(found.items(), key=lambda item: item[0] not in CANONICAL))


CANONICAL = ("train/loss", "val/loss", "lr", "grad_norm", "train/accuracy", "val/accuracy")


def _canonical(name: str) -> str | None:
    side = "val" if VALIDATION.search(name) else "train"
    if LOSS.search(name):
        return f"{side}/loss"
    if ACCURACY.search(name):
        return f"{side}/accuracy"
    if GRADIENT.search(name):
        return "grad_norm"
    return "lr" if LR.search(name) else None
