"""One program before the doctor, at both doors: check before the first step, watch around the whole training. The row is plain JSON."""

from __future__ import annotations

import time
from typing import Any

from zoo.accept import digest, fault_names
from zoo.faults.catalogue import program
from zoo.healthy import programs
from zoo.program import Program, preflight, run


class Book:
    """Programs by name: faults are built from their names, healthy ones stand in their list."""

    def __init__(self) -> None:
        self.healthy = {one.name: one for one in programs()}
        self.faults = fault_names()

    def find(self, name: str) -> Program:
        """The program of this name."""
        if name in self.healthy:
            return self.healthy[name]
        fault, family, data = name.split("/")
        return program(self.faults[fault], family, data)

    def row(self, name: str, seed: int) -> dict[str, Any]:
        """What the doctor says of the program."""
        one = self.find(name)
        fault = self.faults[name.split("/")[0]] if one.fault else None
        facts = {"name": name, "seed": seed, "family": one.family, "data": one.data, "half": one.half, "traits": list(one.traits)}
        facts |= {"fault": one.fault, "alike": list(fault.alike) if fault else [], "stage": fault.stage if fault else ""}
        return facts | {"check": at_check(one, seed), "watch": at_watch(one, seed)}


def short(finding: Any) -> dict[str, Any]:
    """What the table needs of a finding."""
    keys = ("code", "cause", "severity", "confidence", "step", "where")
    return {key: getattr(finding, key) for key in keys} | {"explanation": finding.explanation[:300]}


def at_check(one: Program, seed: int) -> dict[str, Any]:
    """Findings and seconds of the preflight; what it raised, if it did."""
    setup = one.build(seed)
    start, error, found = time.perf_counter(), None, []
    try:
        found = preflight(setup)
    except Exception as problem:  # noqa: BLE001 a crash of check is a result
        error = f"{type(problem).__name__}: {problem}"
    return {"findings": [short(finding) for finding in found], "seconds": round(time.perf_counter() - start, 2), "error": error}


def at_watch(one: Program, seed: int) -> dict[str, Any]:
    """Findings, seconds and outcome of the watched training."""
    outcome = run(one.build(seed), doctor=True)
    return {
        "findings": [short(finding) for finding in outcome.findings],
        "seconds": round(outcome.seconds, 2),
        "error": outcome.error,
        "failures": list(outcome.failures),
        "overhead": round(outcome.overhead, 4),
        "score": outcome.score,
        "digest": digest(outcome.losses),
    }
