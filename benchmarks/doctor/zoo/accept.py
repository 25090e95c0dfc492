"""The harm test: a healthy program must reach its good score, a planted fault must take at least a tenth of what there was to win.

"Healthy" is decided here, by the outcome, never by the doctor's rules: the declared score is reached, nothing is raised, and the
validation loss has not risen from its lowest point by more than a tenth of what it fell. A fault is accepted where, over all seeds, the
mean score loses at least a tenth of the gap between its healthy twin and chance, or where it declares an invariant that is broken.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from zoo.families import FAMILIES
from zoo.faults.catalogue import FAULTS, program, twin
from zoo.faults.fault import DoesNotFit, Fault
from zoo.program import Outcome, Program, Setup, run

SEEDS = (0, 1)
EACH = 3  # accepted places for each way to make a mistake, in different families where there are so many
TRIES = 8  # places tried for them
SHARE = 0.1  # of the gap: FAULTS.md
RISE = 0.1  # of the validation loss's fall: more is overfitting, which is a fault


@dataclass(frozen=True)
class Judged:
    """One program's verdict, with the numbers it stands on."""

    name: str
    accepted: bool
    why: str
    scores: tuple[float, ...]
    healthy: tuple[float, ...]
    chance: float
    good: float
    seconds: float
    digest: str = ""  # of a healthy run's losses, bit by bit: a doctor must not change them


def digest(losses: list[float]) -> str:
    """A short hash of the losses' bits."""
    return hashlib.sha256(struct.pack(f"{len(losses)}d", *losses)).hexdigest()[:16]


def rise(outcome: Outcome) -> float:
    """How far the last validation loss lies above the lowest, as a share of the fall from the first training loss."""
    losses = outcome.val_losses
    if not losses or not outcome.losses:
        return 0.0
    return (losses[-1] - min(losses)) / max(1e-9, outcome.losses[0] - min(losses))


def healthy(one: Program, seed: int = 0) -> Judged:
    """Judge a healthy program by one run."""
    setup = one.build(seed)
    outcome = run(setup)
    climbed = rise(outcome)
    if outcome.error is not None:
        why = outcome.error
    elif outcome.score < setup.good:
        why = f"score {outcome.score:.3f} below {setup.good:.3f}"
    elif climbed > RISE and comparable(setup):
        why = f"validation loss rose by {climbed:.2f} of its fall"
    else:
        why = ""
    return Judged(one.name, not why, why, (outcome.score,), (), setup.chance, setup.good, outcome.seconds, digest(outcome.losses))


def comparable(setup: Setup) -> bool:
    """Whether the validation losses are of one kind: a summed one hangs on the batch size, a denoiser's on newly drawn noise."""
    return getattr(setup.loss_fn, "reduction", "mean") != "sum" and setup.task != "denoise"


class Twins:
    """Healthy scores by program and seed, each run once."""

    def __init__(self) -> None:
        self.scores: dict[tuple[str, int], tuple[float, float, float]] = {}

    def score(self, one: Program, seed: int) -> tuple[float, float, float]:
        """(score, chance, good) of the healthy program."""
        key = (one.name, seed)
        if key not in self.scores:
            setup = one.build(seed)
            self.scores[key] = (run(setup).score, setup.chance, setup.good)
        return self.scores[key]


def harm(fault: Fault, family: str, data: str, twins: Twins, seeds: tuple[int, ...] = SEEDS) -> Judged:
    """Judge a fault in one place. Raises DoesNotFit where the place cannot carry it."""
    sick, well = program(fault, family, data), twin(fault, family, data)
    scores, before, seconds, error = [], [], 0.0, None
    chance, good = 0.0, 0.0
    for seed in seeds:
        outcome = run(sick.build(seed))
        score, chance, good = twins.score(well, seed)
        before.append(score)
        scores.append(outcome.score if math.isfinite(outcome.score) else chance)
        seconds, error = seconds + outcome.seconds, error or outcome.error
    top, got = sum(before) / len(before), sum(scores) / len(scores)
    lost = (top - got) / max(1e-9, top - chance)
    numbers = (tuple(scores), tuple(before), chance, good, seconds / len(seeds))
    if top < good:
        return Judged(sick.name, False, f"the healthy twin reaches only {top:.3f} of {good:.3f}", *numbers)
    if fault.invariant:
        return Judged(sick.name, True, f"broken: {fault.invariant}", *numbers)
    if error is not None and len(scores) and lost < SHARE:
        return Judged(sick.name, True, f"raised: {error[:120]}", *numbers)
    return Judged(sick.name, lost >= SHARE, f"loses {lost:.0%} of the gap", *numbers)


def places(fault: Fault) -> Iterator[tuple[str, str]]:
    """Where to try a fault: families in an order of the fault's own, each with one data set first, then with its others."""

    def order(word: str) -> bytes:
        return hashlib.sha256(f"{fault.name}/{word}".encode()).digest()

    families = sorted(fault.families, key=order)
    sets = {family: sorted(FAMILIES[family].DATA, key=lambda data: order(f"{family}/{data}")) for family in families}
    for turn in range(max(len(names) for names in sets.values())):
        yield from ((family, sets[family][turn]) for family in families if turn < len(sets[family]))


def accept(fault: Fault, twins: Twins, each: int = EACH, tries: int = TRIES) -> list[Judged]:
    """Try places until enough are accepted; every verdict is kept."""
    verdicts: list[Judged] = []
    for family, data in places(fault):
        if sum(verdict.accepted for verdict in verdicts) >= each or len(verdicts) >= tries:
            break
        try:
            verdicts.append(harm(fault, family, data, twins))
        except DoesNotFit:
            continue
    return verdicts


def load(path: Path) -> dict[str, Judged]:
    """Verdicts kept before, by name; a job that broke its process has none."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = [field.name for field in fields(Judged)]
    return {row["name"]: Judged(**{key: row[key] for key in names}) for row in rows if "broken" not in row}


def fault_names() -> dict[str, Fault]:
    """Faults by name."""
    return {fault.name: fault for fault in FAULTS}
