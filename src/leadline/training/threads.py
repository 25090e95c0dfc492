"""How many threads a CPU step is best given: all cores where nothing else runs, one where they would wait for each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from leadline.record.batch import Batch
from leadline.tasks.task import Task
from leadline.training.measure import PLAIN, timed, trial

GAIN = 1.15  # all cores must be this much faster than one: on a busy machine a measured lead vanishes, and a loss may be fortyfold
BUDGET_S = 1.0
LEAST_ROUNDS = 3


@contextmanager
def threads_kept() -> Iterator[None]:
    """Within it torch may be given another number of threads; afterwards it has the caller's again, who may go on in the same process."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure_threads(model: nn.Module, task: Task, batch: Batch, *, device: torch.device) -> tuple[int, dict[str, float]]:
    """(threads, milliseconds per step by number of threads), measured on a copy; torch's own number is put back.

    On another device than the CPU, or where torch has one thread (OMP_NUM_THREADS=1, torchrun), there is nothing to choose.
    """
    most = torch.get_num_threads()
    if device.type != "cpu" or most == 1:
        return most, {}
    with threads_kept(), torch.random.fork_rng(devices=[]):
        samples = _samples(trial(model, task, batch, precision=PLAIN, device=device), (1, most), device=device)
    medians = {count: statistics.median(taken) for count, taken in samples.items() if taken}
    faster = len(medians) == 2 and medians[1] / medians[most] >= GAIN
    return (most if faster else 1), {f"{count} threads": round(seconds * 1e3, 3) for count, seconds in medians.items()}


def _samples(step: Callable[[], float], counts: tuple[int, ...], *, device: torch.device) -> dict[int, list[float]]:
    """Seconds of steps with each number of threads, in turns, so that a busy moment hits all."""
    samples: dict[int, list[float]] = {count: [] for count in counts}
    end = time.perf_counter() + BUDGET_S
    rounds = 0
    while rounds <= LEAST_ROUNDS or time.perf_counter() < end:
        for count, taken in samples.items():
            torch.set_num_threads(count)
            seconds, _ = timed(step, device)
            if rounds and seconds is not None:  # the first step also sets up kernels
                taken.append(seconds)
        rounds += 1
    return samples
