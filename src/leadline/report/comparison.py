"""What a comparison of runs holds, as frozen records: groups of seeds, the settings that differ, judgements and changed answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from leadline.report.sameness import Changes, Judgement

SEED = "train.seed"


@dataclass(frozen=True)
class Range:
    """A score over the seeds of one group: mean, lowest, highest, and over how many runs."""

    mean: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only. scores: side, then score, over the runs; best_steps: of each run, in order."""

    name: str
    runs: tuple[str, ...]
    seeds: tuple[Any, ...]
    best_steps: tuple[int | None, ...]
    scores: dict[str, dict[str, Range]]


@dataclass(frozen=True)
class Comparison:
    """Groups beside each other.

    settings: {key: value of each group} for the keys that differ. judgements and changed: each group against the first one named.
    """

    groups: tuple[Group, ...]
    settings: dict[str, tuple[Any, ...]]
    metric: str | None
    judgements: tuple[Judgement, ...]
    changed: tuple[Changes, ...]
    folders: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return asdict(self)
