"""Which precision and layout is fastest here: a two-second measurement of real steps on a copy of the model."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from leadline.record.batch import Batch
from leadline.tasks.task import Task
from leadline.training.heap import keep_freed_memory
from leadline.training.oom import is_out_of_memory
from leadline.training.precision import Matmul, Name, Precision

PLAIN = Precision()
GAIN = 1.25  # another choice than plain fp32 must be this much faster: less would be noise, or not worth the difference in rounding
BUDGET_S = 2.0  # for all candidates together
LEAST_ROUNDS = 2  # one to set up kernels, one that counts; more while the budget lasts
ROUNDING = 1e-4  # largest relative change of the loss that a faster fp32 matmul may make: more means it no longer is fp32

Times = dict[Precision, float | None]


@dataclass(frozen=True)
class Choice:
    """What to train with. evidence: milliseconds per step (forward, loss, backward) of each candidate; None: memory did not suffice."""

    precision: Name
    channels_last: bool
    matmul: Matmul
    evidence: dict[str, float | None]

    @property
    def chosen(self) -> Precision:
        """The choice as the loop takes it."""
        return Precision(self.precision, channels_last=self.channels_last, matmul=self.matmul)


def candidates_for(batch: Batch, device: torch.device) -> tuple[Precision, ...]:
    """What is worth trying: layouts and bf16 for images, bf16 for tokens; for numbers of rows and series, whose results hang on small
    differences, and beside bf16, other fp32 kernels on a CPU."""
    if any(part.ndim == 4 for part in batch.inputs):
        half = [Precision("bf16", channels_last=True)] if _has_bf16(device) else []
        return (PLAIN, Precision(channels_last=True), *half)
    is_tokens = not batch.inputs[0].is_floating_point() and batch.inputs[0].ndim == 2
    half = [Precision("bf16")] if is_tokens and _has_bf16(device) else []
    return (PLAIN, Precision(matmul="medium"), *half) if device.type == "cpu" else (PLAIN, *half)


def measure(model: nn.Module, task: Task, batch: Batch, *, device: torch.device, candidates: Sequence[Precision] | None = None) -> Choice:
    """Time a step in each candidate and choose; plain fp32 unless another is at least 1.25 times faster.

    model, generators, modes and torch's global settings are left as they were: a copy is measured.
    """
    keep_freed_memory(device)
    tried = tuple(candidates or candidates_for(batch, device))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        trials = {precision: trial(model, task, batch, precision=precision, device=device) for precision in tried}
        times, losses = _times(trials, device)
    evidence = {_words(precision): _rounded(seconds) for precision, seconds in times.items()}
    best = _fastest(times, losses)
    return Choice(best.name, best.channels_last, best.matmul, evidence)


def trial(model: nn.Module, task: Task, batch: Batch, *, precision: Precision, device: torch.device) -> Callable[[], float]:
    """One step of a copy as a function that gives its loss."""
    copied = copy.deepcopy(model).train(model.training)
    precision.lay_out(copied)
    arranged = precision.arrange(batch)
    trained = [parameter for parameter in copied.parameters() if parameter.requires_grad]

    def step() -> float:
        total = 0.0
        with precision.matmuls():
            losses = task.losses(copied, arranged)
            while True:
                with precision.autocast(device):
                    loss = next(losses, None)
                if loss is None:
                    break
                loss.value.backward()
                total += float(loss.value.detach())
        for parameter in trained:
            parameter.grad = None
        return total

    return step


def _times(trials: dict[Precision, Callable[[], float]], device: torch.device) -> tuple[Times, dict[Precision, float]]:
    """Median seconds per step, the candidates taking turns so that a busy moment hits all; and each one's loss."""
    samples: dict[Precision, list[float]] = {precision: [] for precision in trials}
    failed: set[Precision] = set()
    losses: dict[Precision, float] = {}
    end = time.perf_counter() + BUDGET_S
    rounds = 0
    while rounds < LEAST_ROUNDS or time.perf_counter() < end:
        for precision in (each for each in trials if each not in failed):
            torch.manual_seed(rounds)  # the same dropout for all, so that their losses can be compared
            seconds, loss = timed(trials[precision], device)
            if seconds is None:
                failed.add(precision)
            elif rounds == 0:
                losses[precision] = loss  # the first step also sets up kernels: its time says nothing
            else:
                samples[precision].append(seconds)
        rounds += 1
    times = {precision: statistics.median(taken) if taken and precision not in failed else None for precision, taken in samples.items()}
    return times, losses


def timed(step: Callable[[], float], device: torch.device) -> tuple[float | None, float]:
    """(seconds, loss) of one step; no seconds when memory does not suffice."""
    start = time.perf_counter()
    try:
        loss = step()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None, float("nan")
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start, loss


def _fastest(times: Times, losses: dict[Precision, float]) -> Precision:
    plain = times.get(PLAIN)
    best, best_s = PLAIN, plain
    for precision, seconds in times.items():
        if seconds is None or not _still_right(precision, losses):
            continue
        if best_s is None or (seconds < best_s and (plain is None or plain / seconds >= GAIN)):
            best, best_s = precision, seconds
    return best


def _still_right(precision: Precision, losses: dict[Precision, float]) -> bool:
    if precision.matmul == "highest" or PLAIN not in losses:
        return True
    return abs(losses[precision] - losses[PLAIN]) <= ROUNDING * abs(losses[PLAIN])


def _has_bf16(device: torch.device) -> bool:
    return device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())


def _words(precision: Precision) -> str:
    layout = " channels-last" if precision.channels_last else ""
    matmul = "" if precision.matmul == "highest" else f" matmul {precision.matmul}"
    return f"{precision.name}{layout}{matmul}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)
