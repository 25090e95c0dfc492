"""Which way of computing attention is faster here, at this length: measured on real steps, as precision is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from leadline.record.batch import Batch
from leadline.tasks.task import Task
from leadline.training.measure import timed, trial
from leadline.training.precision import Precision

WAYS = ("fused", "textbook")
ROUNDS = 3  # timed steps of each; the first of each is not counted
LONGEST_S = 2.0  # for all together, once each was timed
GAIN = 1.1  # the textbook's way must be this much faster: it takes the square of the length in memory


def switchable(model: nn.Module) -> list[Any]:
    """The parts of a network whose attention can be computed either way."""
    return [part for part in model.modules() if getattr(part, "way", None) in WAYS]


def set_way(model: nn.Module, way: str) -> None:
    """Compute all its attention so."""
    for part in switchable(model):
        part.way = way


def measure_attention(
    model: nn.Module, task: Task, batch: Batch, *, device: torch.device, precision: Precision
) -> tuple[str, dict[str, float]]:
    """The faster way, and milliseconds per step of each. Weights, modes and generators stay as they were; the way does, too."""
    before = switchable(model)[0].way
    trials = {}
    for way in WAYS:
        set_way(model, way)
        trials[way] = trial(model, task, batch, precision=precision, device=device)
    set_way(model, before)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        times = _times(trials, device)
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    best = "textbook" if medians["fused"] > GAIN * medians["textbook"] else "fused"
    return best, {way: round(seconds * 1e3, 3) for way, seconds in medians.items()}


def _times(trials: dict[str, Callable[[], float]], device: torch.device) -> dict[str, list[float]]:
    """Seconds of steps each way, in turns; infinite where memory does not suffice."""
    times: dict[str, list[float]] = {way: [] for way in trials}
    end = time.perf_counter() + LONGEST_S
    rounds = 0
    while rounds < 2 or (rounds <= ROUNDS and time.perf_counter() < end):
        taken = {way: timed(step, device)[0] for way, step in trials.items()}
        for way, seconds in taken.items() if rounds else ():  # the first step also sets up kernels
            times[way].append(float("inf") if seconds is None else seconds)
        rounds += 1
    return times
