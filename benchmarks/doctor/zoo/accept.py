"""The harm test: a healthy program must reach its good score, a planted fault must take at least a tenth of what there was to win.

"Healthy" is decided here, by the outcome, never by the doctor's rules: the declared score is reached, nothing is raised, and the
validation loss has not risen from its lowest point by more than a tenth of what it fell. A fault is accepted where `zoo.faults.measure`
kept that, over all seeds, the mean score loses at least a tenth of the gap between its healthy twin and chance, or where it declares an
invariant that is broken.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, fields
from pathlib import Path

from zoo.faults.catalogue import FAULTS, twin
from zoo.faults.fault import Fault
from zoo.faults.measure import SEEDS, Book, places, visit
from zoo.program import Outcome, Program, Setup, run

EACH = 3  # accepted places for each way to make a mistake, in different families where there are so many
TRIES = 8  # places tried for them, at most
RISE = 0.1  # of the validation loss's fall: more is overfitting, which is a fault


@dataclass(frozen=True)
class Judged:
    """One program's verdict, with the numbers it stands on."""

    name: str
    accepted: bool
    why: str
    score: float
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
    return Judged(one.name, not why, why, outcome.score, setup.chance, setup.good, outcome.seconds, digest(outcome.losses))


def comparable(setup: Setup) -> bool:
    """Whether the validation losses are of one kind: a summed one hangs on the batch size, others on new chance."""
    return getattr(setup.loss_fn, "reduction", "mean") != "sum" and setup.task not in ("denoise", "reward", "q")


def tried(book: Book, fault: Fault) -> list[tuple[str, bool]]:
    """(program name, accepted) of the places measured so far, in the fault's own order of places."""
    found = []
    for family, data in places(fault):
        verdict = book.verdict(fault, family, data)
        if verdict is not None:
            found.append((f"{fault.name}/{family}/{data}", verdict and sound_twin(book, fault, family, data)))
    return found


def sound_twin(book: Book, fault: Fault, family: str, data: str) -> bool:
    """Whether the healthy twin reaches its own good score on the mean: else there is nothing to lose."""
    recipe = f"healthy {twin(fault, family, data).recipe}"
    lines = [line for seed in SEEDS if (line := book.lines.get((recipe, family, data, seed))) is not None]
    return bool(lines) and sum(line["score"] for line in lines) / len(lines) >= lines[0]["good"]


def harmful(book: Book, each: int = EACH) -> list[str]:
    """The accepted faulty programs: the first places of every fault, as many as wanted."""
    return [name for fault in FAULTS for name in [name for name, good in tried(book, fault) if good][:each]]


def measure(book: Book, fault: Fault) -> list[tuple[str, bool]]:
    """Measure the fault in further places until enough are accepted or enough were tried."""
    for wanted in range(EACH, TRIES + 1):
        if sum(good for _, good in tried(book, fault)) >= EACH:
            break
        while visit(book, fault, wanted):
            pass
    return tried(book, fault)


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
