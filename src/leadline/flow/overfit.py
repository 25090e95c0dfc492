"""Learning one batch by heart: the cheapest proof that data, network, loss and optimizer fit together."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from leadline.flow.setup import Rig
from leadline.record.batch import Batch
from leadline.tasks.task import Task, restore

MOST_STEPS = 200
MOST_SECONDS = 20.0
EXAMPLES = 32
GOAL = 0.01  # of the loss at the start
RATES = (1e-3, 1e-2, 1e-4)  # Adam's usual rate first; the others for networks that are unusually stiff or tender


@dataclass(frozen=True)
class Overfit:
    """How far the loss fell on one batch. lr: the rate that got furthest; floor: the lowest loss that the batch allows."""

    start: float
    end: float
    steps: int
    examples: int
    lr: float
    timed_out: bool
    floor: float = 0.0

    @property
    def learnt(self) -> bool:
        """Whether the loss fell below 1 % of its start, above what can be known at all."""
        return self.end - self.floor < GOAL * (self.start - self.floor)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return asdict(self)


def learn_by_heart(rig: Rig) -> Overfit:
    """Train copies on one batch, dropout, smoothing and decay off, until the loss is below 1 % of the start or time is up."""
    batch, task = _batch(rig), _plain(rig.prepared.task)
    deadline = time.perf_counter() + MOST_SECONDS
    best: Overfit | None = None
    for lr in RATES:
        result = _attempt(_without_chance(rig.model), task, batch, lr=lr, deadline=deadline)
        best = result if best is None or not result.end > best.end else best
        if best.learnt or result.timed_out:
            break
    assert best is not None
    return best


def loss_at_start(model: nn.Module, rig: Rig) -> torch.Tensor:
    """The loss of the untrained network on one batch, with its graph."""
    model.train()
    return _loss(model, rig.prepared.task, _batch(rig))


def _attempt(model: nn.Module, task: Task, batch: Batch, *, lr: float, deadline: float) -> Overfit:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=lr)
    model.train()
    start = end = float(_loss(model, task, batch).detach())
    steps, lowest, floor = 0, start, task.floor(batch)
    goal = floor + GOAL * (start - floor)
    while steps < MOST_STEPS and lowest >= goal and time.perf_counter() < deadline:
        optimizer.zero_grad()
        loss = _loss(model, task, batch)
        loss.backward()
        optimizer.step()
        steps, end = steps + 1, float(loss.detach())
        lowest = min(lowest, end) if np.isfinite(end) else lowest
    return Overfit(start, lowest, steps, len(batch), lr, timed_out=steps < MOST_STEPS and lowest >= goal, floor=floor)


def _loss(model: nn.Module, task: Task, batch: Batch) -> torch.Tensor:
    return torch.stack([loss.value for loss in task.losses(model, batch)]).sum()


def _batch(rig: Rig) -> Batch:
    """Training examples of different content, drawn with the run's seed: equal inputs with two answers could not be learnt."""
    split = rig.prepared.split
    rows = split.train[np.random.default_rng(rig.recipe.train.seed).permutation(len(split.train))[: 8 * EXAMPLES]]
    _, first = np.unique(split.content[rows], return_index=True)
    rows = rows[np.sort(first)][:EXAMPLES]
    return next(rig.batches.sequential(rows, len(rows)))


def _plain(task: Task) -> Task:
    """The task without label smoothing, under which no loss reaches 0."""
    fields = task.to_dict()
    return restore({**fields, "label_smoothing": 0.0} if "label_smoothing" in fields else fields)


def _without_chance(model: nn.Module) -> nn.Module:
    """A copy whose dropout and stochastic depth never drop."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        for rate in ("p", "drop_prob", "rate"):
            if any(word in type(module).__name__.lower() for word in ("drop", "stochasticdepth")) and isinstance(
                getattr(module, rate, None), float
            ):
                vars(module)[rate] = 0.0
    return copied
