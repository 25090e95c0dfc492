"""The resume test: five steps done twice from one state, and once with a stop in the middle that goes through state_dict."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import Moment
from leadline.doctor.twin import Twin, seed_all

KEEP = True
STEPS = 5
ROUNDING = 1e-4  # relative; on one machine runs are equal to the bit, on a GPU sums in another order differ by 1e-6 and grow


@dataclass(frozen=True)
class Resume:
    """Losses of three runs of the same steps from the same state. moved_at: the first step that differs between the two plain runs."""

    first: tuple[float, ...]
    again: tuple[float, ...]
    resumed: tuple[float, ...]
    problem: str | None

    @property
    def repeats(self) -> bool:
        """Whether two runs from the same state and seeds are equal."""
        return _equal(self.first, self.again)

    @property
    def answer(self) -> Literal["yes", "no"]:
        """Whether runs repeat and a resumed run goes on as the uninterrupted one."""
        return "yes" if self.problem is None and self.repeats and _equal(self.first, self.resumed) else "no"

    @property
    def in_words(self) -> str:
        """One line."""
        if self.problem is not None:
            return self.problem
        if not self.repeats:
            return f"two runs of {len(self.first)} steps from the same state and seeds differ: {_beside(self.first, self.again)}"
        if not _equal(self.first, self.resumed):
            return f"a run saved and loaded through state_dict goes on otherwise: {_beside(self.first, self.resumed)}"
        return f"{len(self.first)} steps twice from one state are equal, and so is a run saved and loaded in the middle"

    def to_dict(self) -> dict[str, Any]:
        """The losses."""
        return {"first": list(self.first), "again": list(self.again), "resumed": list(self.resumed)}


def measure(scene: Scene) -> Resume:
    """Raises NotExamined or NotReplayable."""
    if not scene.moments:
        raise NotExamined("no step was recorded yet")
    moments = scene.moments[:STEPS]
    first, again, middle = (scene.lab.at_start() for _ in range(3))
    plain = run(first, moments)
    repeated = run(again, moments)
    half = len(moments) // 2
    begun = run(middle, moments[:half])
    try:
        fresh = _through_files(middle, scene.lab.at_start())
    except Exception as error:  # noqa: BLE001 - what saving or loading raises is the answer
        return Resume(plain, repeated, begun, f"the state cannot be saved and loaded ({type(error).__name__}: {error})")
    return Resume(plain, repeated, begun + run(fresh, moments[half:], offset=half), None)


def run(twin: Twin, moments: list[Moment], *, offset: int = 0) -> tuple[float, ...]:
    """The steps done once, with all generators seeded by the step's number."""
    losses: list[float] = []
    for number, moment in enumerate(moments):
        seed_all(offset + number)
        losses.append(sum(twin.step(moment)))
    return tuple(losses)


def _through_files(twin: Twin, fresh: Twin) -> Twin:
    """`fresh` with the state of `twin`, carried over by what state_dict gives and load_state_dict takes: all that a checkpoint holds."""
    for source, goal in ((twin.model, fresh.model), *zip(twin.optimizers, fresh.optimizers, strict=True)):
        goal.load_state_dict(copy.deepcopy(source.state_dict()))
    return fresh


def _equal(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=ROUNDING, abs_tol=1e-7) or (math.isnan(a) and math.isnan(b)) or a == b
        for a, b in zip(one, other, strict=True)
    )


def _beside(one: tuple[float, ...], other: tuple[float, ...]) -> str:
    place = next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if not _equal((a,), (b,)))
    return f"{one[place]:.7g} and {other[place]:.7g} at step {place}"
