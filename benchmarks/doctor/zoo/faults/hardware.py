"""Faults of machine, memory and repeatability, as far as one process on a CPU can have them: T06, T07, H02, H03, H04, H06."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from zoo.faults.fault import ALL, Fault, need
from zoo.faults.loop import plain_loop
from zoo.faults.rows import with_dataset
from zoo.faults.surgery import Apply, before_head
from zoo.program import Data, Setup, plain_step, with_model

ROWED = tuple(family for family in ALL if family != "gcn")


def running_total(setup: Setup) -> Setup:
    """total += loss, without item(): every step's graph stays."""

    def step(s: Setup, batch: Data, index: int) -> Tensor:
        loss = plain_step(s, batch, index)
        s.state["total"] = s.state.get("total", 0) + loss
        return loss

    return replace(plain_loop(setup), step=step)


def outputs_kept(setup: Setup) -> Setup:
    """Outputs are appended to a list for a metric at the epoch's end, which nobody empties, and nobody detaches."""
    plain = setup.forward

    def forward(s: Setup, batch: Data) -> Any:
        output = plain(s, batch)
        s.state.setdefault("outputs", []).append(output)
        return output

    return replace(setup, forward=forward)


# T07 teacher_not_updated


class StudentTeacher(nn.Module):
    """A student that trains and a teacher that should follow it; in eval mode the teacher answers."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student
        self.teacher = copy.deepcopy(student).requires_grad_(False)

    def forward(self, x: Tensor) -> Any:
        """The student's output while training, the teacher's afterwards."""
        return self.student(x) if self.training else self.teacher(x)


def with_teacher(setup: Setup, after_update: Callable[[Setup], None]) -> Setup:
    """The model with a teacher, to which after_update happens."""
    need(setup.teacher is None and setup.family not in ("diffusion",), "a model of one input")
    return replace(with_model(setup, StudentTeacher(setup.model), head="student." + setup.head), after_update=after_update)


def never(setup: Setup) -> None:
    """Nothing follows the update."""


def teacher_forgotten(setup: Setup) -> Setup:
    """update_teacher() is never called."""
    return with_teacher(setup, never)


def decay_one(setup: Setup) -> None:
    """teacher = 1.0 * teacher + 0.0 * student."""
    model: Any = setup.model
    with torch.no_grad():
        for mine, theirs in zip(model.teacher.parameters(), model.student.parameters(), strict=True):
            mine.lerp_(theirs, 1 - 1.0)  # decay 1.0: rounded from 0.99999


def teacher_stands(setup: Setup) -> Setup:
    """A decay of 1.0."""
    return with_teacher(setup, decay_one)


def teacher_of_old(setup: Setup) -> Setup:
    """The teacher follows a copy of the student made before training."""
    old = copy.deepcopy(setup.model)

    def follow_old(s: Setup) -> None:
        model: Any = s.model
        with torch.no_grad():
            for mine, theirs in zip(model.teacher.parameters(), old.parameters(), strict=True):
                mine.lerp_(theirs, 0.1)

    return with_teacher(setup, follow_old)


# H02 sampler


def sampled(setup: Setup, replicas: int) -> Setup:
    """A DistributedSampler whose set_epoch nobody calls."""
    dataset: Any = setup.loader.dataset
    need(setup.family != "gcn", "rows")
    sampler = DistributedSampler(dataset, num_replicas=replicas, rank=0, shuffle=True, seed=setup.seed, drop_last=True)
    return replace(setup, loader=DataLoader(dataset, setup.loader.batch_size, sampler=sampler, drop_last=True))


def no_set_epoch(setup: Setup) -> Setup:
    """One rank: every epoch has the same order."""
    return sampled(setup, 1)


def rank_of_many(setup: Setup) -> Setup:
    """The sampler counts eight ranks, but one process runs: an eighth of the rows, in the same order."""
    need(len(setup.train_data[0]) > 16 * (setup.loader.batch_size or 1), "rows for eight ranks")
    return sampled(setup, 8)


# H03 bit_flip


def flipped(value: Tensor) -> None:
    """Flip the highest bit of the largest number's exponent, in place: a factor of 2 ** 128 (of a zero it would make 2)."""
    flat = value.view(-1)
    place = int(flat.abs().argmax())
    bits = flat[place : place + 1].clone().view(torch.int32)
    flat[place : place + 1] = (bits ^ (1 << 30)).view(torch.float32)


def at_step(setup: Setup, share: float, change: Callable[[Setup], None]) -> Setup:
    """Do this once, before the micro-step at this share of the run."""
    when = int(setup.steps * share)
    plain = setup.step

    def step(s: Setup, batch: Data, index: int) -> Tensor:
        if index == when:
            change(s)
        return plain(s, batch, index)

    return replace(setup, step=step)


def largest(setup: Setup) -> Tensor:
    """The largest trainable weight."""
    return max((p for p in setup.model.parameters() if p.requires_grad), key=lambda p: p.numel())


def flip_weight(setup: Setup) -> None:
    """In the weights."""
    flipped(largest(setup).data)


def flip_state(setup: Setup) -> None:
    """In the optimizer's first moment."""
    for value in setup.optimizer.state[largest(setup)].values():
        if isinstance(value, Tensor) and value.dim() > 0:
            flipped(value)
            return


def weight_bit(setup: Setup) -> Setup:
    """One bit of a weight flips in the middle of the run."""
    return at_step(setup, 0.5, flip_weight)


def gradient_bit(setup: Setup) -> Setup:
    """One bit of a gradient flips in the last tenth of the run."""
    seen = {"count": 0}
    when = int(setup.steps * 0.9)
    parameter = largest(setup)

    def change(gradient: Tensor) -> Tensor:
        seen["count"] += 1
        if seen["count"] != when:
            return gradient
        gradient = gradient.clone()
        flipped(gradient)
        return gradient

    parameter.register_hook(change)
    return setup


def moment_bit(setup: Setup) -> Setup:
    """One bit of the optimizer's momentum flips."""
    return at_step(setup, 0.5, flip_state)


# H04 input_bound


class Slow(Dataset[Any]):
    """Rows that take a while to come: a network disk, a JPEG in Python."""

    def __init__(self, inner: Any, wait_s: float) -> None:
        self.inner, self.wait_s = inner, wait_s

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> Any:
        time.sleep(self.wait_s)
        return self.inner[index]


def slow_rows(setup: Setup) -> Setup:
    """A millisecond a row, and no worker."""
    return replace(with_dataset(setup, Slow(setup.loader.dataset, 1e-3)), steps=min(setup.steps, 60))


def slow_collate(setup: Setup) -> Setup:
    """collate_fn waits for forty milliseconds (a tokenizer in pure Python)."""

    def collate(rows: list[Any]) -> Any:
        time.sleep(0.04)
        return torch.utils.data.default_collate(rows)

    return replace(with_dataset(setup, setup.loader.dataset, collate_fn=collate), steps=min(setup.steps, 60))


# H06 not_repeatable


def unseeded_layer(setup: Setup) -> Setup:
    """Noise in the forward pass from NumPy's generator without a seed: no run can be repeated."""
    source = np.random.default_rng()

    def noisy(x: Tensor) -> Tensor:
        return x * torch.from_numpy(1 + 0.1 * source.standard_normal(x.shape)).to(x.dtype)

    return before_head(setup, lambda _: Apply(noisy))


class Unseeded(Dataset[tuple[Tensor, ...]]):
    """Rows with jitter from a generator that nobody seeds or saves."""

    def __init__(self, data: Data) -> None:
        self.data, self.source = data, np.random.default_rng()

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        row = tuple(t[index] for t in self.data)
        return row[0] + 0.1 * torch.from_numpy(self.source.standard_normal(row[0].shape)).float(), *row[1:]


def unseeded_rows(setup: Setup) -> Setup:
    """Augmentation from an unseeded generator."""
    need(setup.train_data[0].is_floating_point() and setup.task in ("classify", "regress"), "float inputs")
    return with_dataset(setup, Unseeded(setup.train_data))


BARE = tuple(family for family in ALL if family not in ("cnn_bn", "resnet", "unet"))  # batch norm takes out one lost channel
GRAPH = "memory grows with every step"
TEACHER = "the teacher that answers in eval mode never moves"
ORDER = "every epoch has the same order under a sampler that shuffles"
RUNS = "two runs from the same state differ"
FAULTS = (
    Fault("T06", "running_total", running_total, ALL, invariant=GRAPH, stage="L"),
    Fault("T06", "outputs_kept", outputs_kept, ALL, invariant=GRAPH, stage="L"),
    Fault("T07", "forgotten", teacher_forgotten, ALL, invariant=TEACHER, stage="L"),
    Fault("T07", "decay_one", teacher_stands, ALL, invariant=TEACHER, stage="L"),
    Fault("T07", "of_old_copy", teacher_of_old, ALL, invariant=TEACHER, stage="L"),
    Fault("H02", "no_set_epoch", no_set_epoch, ROWED, invariant=ORDER),
    Fault("H02", "rank_of_eight", rank_of_many, ROWED, invariant="most rows are never seen", alike=("E02",)),
    Fault("H03", "weight", weight_bit, ALL, stage="L"),
    Fault("H03", "gradient", gradient_bit, ALL, base={"optimizer": "momentum"}, stage="L"),
    Fault("H03", "moment", moment_bit, BARE, base={"optimizer": "momentum"}, stage="L"),
    Fault("H04", "slow_rows", slow_rows, ROWED, invariant="most of the time is waiting for rows", stage="L"),
    Fault("H04", "slow_collate", slow_collate, ROWED, invariant="most of the time is waiting for rows", stage="L"),
    Fault("H06", "unseeded_layer", unseeded_layer, ALL, invariant=RUNS),
    Fault("H06", "unseeded_rows", unseeded_rows, ("mlp", "cnn_bn", "resnet", "vit", "rnn"), invariant=RUNS),
)
