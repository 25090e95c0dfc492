"""What the GradScaler did: every update of its scale, and which of them were skipped steps."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene

SEARCH = 25  # skips at the start are the search for a scale that fits; from 65,536 that many halvings lead below 1/100


@dataclass(frozen=True)
class ScalerHistory:
    """updates: how often the scale was updated. skipped: of these, steps that were skipped after the first search, growth apart.

    recent: share of skipped steps among the latest twenty updates. first, scale: of the scale. applied: optimizer steps that happened.
    """

    updates: int
    skipped: int
    recent: float
    first: float
    scale: float
    applied: int
    search: int
    all_skipped: int


def measure(scene: Scene) -> ScalerHistory:
    """Raises NotExamined where no scaler was heard."""
    heard = scene.heard.skipped_scales
    if not heard:
        raise NotExamined("no GradScaler was heard")
    first = float(getattr(scene.heard.scaler, "_init_scale", heard[0][1]))
    scales = [first, *(scale for _, scale in heard)]
    fell = [after < before for before, after in itertools.pairwise(scales)]
    grew = [after > before for before, after in itertools.pairwise(scales)]
    search = next((place for place, skipped in enumerate(fell) if not skipped), len(fell))
    return ScalerHistory(
        len(heard),
        _unprovoked(fell, grew, search),
        sum(fell[-20:]) / len(fell[-20:]),
        first,
        scales[-1],
        len(scene.heard.steps),
        search,
        sum(fell),
    )


def _unprovoked(fell: list[bool], grew: list[bool], search: int) -> int:
    """Skips after the search that are not the one answer to a scale that had just been tried larger."""
    count, excused = 0, False
    for skipped, larger in zip(fell[search:], grew[search:], strict=True):
        if larger:
            excused = True
        elif skipped:
            count += not excused
            excused = False
    return count + max(0, search - SEARCH)
