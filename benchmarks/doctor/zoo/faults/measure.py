"""The harm that each planted fault does: faulty and healthy scores over seeds, kept as lines of JSON so that nothing is measured twice.

`python -m zoo.faults.measure --seconds 300 [--only T01,O01] [--places 4]` (with benchmarks/doctor on the path) goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from zoo.families import data_sets
from zoo.faults.catalogue import FAULTS, program, twin
from zoo.faults.fault import DoesNotFit, Fault
from zoo.program import run

FILE = Path(__file__).with_name("harm.jsonl")
HARM = 0.10  # FAULTS.md: at least a tenth of the gap between healthy and chance
SEEDS = (0, 1)
TRIES = 6  # harmless places, after which a fault is left alone


def places(fault: Fault) -> list[tuple[str, str]]:
    """(family, data) in a fixed order that differs from fault to fault; families take turns, so that few places are several families."""

    def order(family: str, data: str) -> str:
        return hashlib.sha256(f"{fault.name}/{family}/{data}".encode()).hexdigest()

    queues = [sorted(((f, data) for data in data_sets(f)), key=lambda pair: order(*pair)) for f in fault.families]
    queues.sort(key=lambda queue: order(queue[0][0], ""))
    turns = max(len(queue) for queue in queues)
    return [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)]


def key(line: dict[str, Any]) -> tuple[str, str, str, int]:
    """What was measured."""
    return line["fault"], line["family"], line["data"], line["seed"]


class Book:
    """The file's lines; healthy twins are lines too, under their recipe's words."""

    def __init__(self, path: Path = FILE) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.lines = {key(line): line for line in map(json.loads, lines)}

    def add(self, line: dict[str, Any]) -> dict[str, Any]:
        """Keep a line."""
        self.lines[key(line)] = line
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return line

    def healthy(self, fault: Fault, family: str, data: str, seed: int) -> dict[str, Any]:
        """The twin's line, measured if it is new."""
        healthy = twin(fault, family, data)
        known = self.lines.get((f"healthy {healthy.recipe}", family, data, seed))
        if known is not None:
            return known
        setup = healthy.build(seed)
        outcome = run(setup)
        return self.add(
            {
                "fault": f"healthy {healthy.recipe}",
                "family": family,
                "data": data,
                "seed": seed,
                "score": round(outcome.score, 4),
                "chance": round(setup.chance, 4),
                "good": setup.good,
                "seconds": round(outcome.seconds, 2),
            }
        )

    def measure(self, fault: Fault, family: str, data: str, seed: int) -> dict[str, Any] | None:
        """The fault's line; None where it does not fit."""
        known = self.lines.get((fault.name, family, data, seed))
        if known is not None:
            return known
        try:
            setup = program(fault, family, data).build(seed)
        except DoesNotFit:
            return None
        healthy = self.healthy(fault, family, data, seed)
        if healthy["score"] < healthy["good"]:
            return None  # a twin that is ill itself proves nothing
        outcome = run(setup)
        gap = healthy["score"] - healthy["chance"]
        line = {"fault": fault.name, "family": family, "data": data, "seed": seed, "score": round(outcome.score, 4)}
        line |= {"lost": round((healthy["score"] - outcome.score) / max(gap, 1e-6), 3), "seconds": round(outcome.seconds, 2)}
        return self.add(line | ({"error": outcome.error[:120]} if outcome.error else {}))

    def verdict(self, fault: Fault, family: str, data: str) -> bool | None:
        """Whether it counts: harm on the mean over the seeds, or a broken invariant and one run; None where it was not measured."""
        found = [self.lines.get((fault.name, family, data, seed)) for seed in SEEDS]
        lost = [line["lost"] for line in found if line is not None]
        if lost and fault.invariant:
            return True
        return sum(lost) / len(lost) >= HARM if len(lost) == len(SEEDS) else None


def visit(book: Book, fault: Fault, wanted: int) -> None:
    """Measure one more place of this fault, if fewer than `wanted` of those measured count; harmless ones are passed by."""
    known = [book.verdict(fault, family, data) for family, data in places(fault)]
    if known.count(True) >= wanted or known.count(False) >= TRIES:
        return
    for (family, data), verdict in zip(places(fault), known, strict=True):
        if verdict is not None:
            continue
        lines = [book.measure(fault, family, data, seed) for seed in (SEEDS[:1] if fault.invariant else SEEDS)]
        if None not in lines:
            return


def main() -> None:
    """Measure round after round until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--only", default="", help="codes or names, comma between")
    parser.add_argument("--places", type=int, default=4, help="places a fault that count")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # sick programs warn, as they should
    book, end = Book(), time.monotonic() + chosen.seconds
    only = set(filter(None, chosen.only.split(",")))
    faults = [fault for fault in FAULTS if not only or fault.code in only or fault.name in only]
    for wanted in range(1, chosen.places + 1):
        for fault in faults:
            if time.monotonic() > end:
                print("time is over at place", wanted, fault.name)
                return
            visit(book, fault, wanted)
    print("done")


if __name__ == "__main__":
    main()
