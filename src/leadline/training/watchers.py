"""Who is asked and told while a run trains: signals, progress on the terminal, unfreezing, names of examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """One finished epoch. number: from 1; train_loss: mean over its rows, None without rows; scores: of validation; lr: its last."""

    number: int
    of: int
    step: int
    train_loss: float | None
    scores: dict[str, float]
    lr: float
    is_best: bool
    seconds: float


@dataclass(frozen=True)
class Watchers:
    """stop: whether a signal came. on_epoch: told each finished epoch. on_event: told what else happened, as JSON rows.

    unfreeze: called before each epoch with its number from 0. name_of: how a person finds an example by its number.
    """

    stop: Callable[[], bool]
    on_epoch: Callable[[Epoch], None] | None = None
    on_event: Callable[[dict[str, Any]], None] | None = None
    unfreeze: Callable[[int], None] | None = None
    name_of: Callable[[int], str] = str
