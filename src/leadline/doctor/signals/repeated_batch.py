"""Whether every step trains on the very same rows although the loader has others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import Moment
from leadline.doctor.tape import flatten

SEEN = 4  # recorded steps with the same rows: by chance none would be


@dataclass(frozen=True)
class RepeatedBatch:
    """steps: recorded steps that all had one batch (empty: they differ). batches: how many the loader has. rebuilt: whether the loader
    was begun
    anew for each of them; else the batch was fetched once.
    """

    steps: tuple[int, ...]
    batches: int
    rebuilt: bool


def measure(scene: Scene) -> RepeatedBatch:
    """Raises NotExamined where no loader with several batches is known."""
    loader, rebuilt = _loader(scene)
    try:
        batches = len(loader)
    except TypeError as problem:
        raise NotExamined("the loader has no length") from problem
    if batches < 2 or len(scene.moments) < SEEN:
        return RepeatedBatch((), batches, rebuilt)
    first, *others = scene.moments
    same = all(_alike(first, other) for other in others)
    return RepeatedBatch(tuple(m.step for m in scene.moments) if same else (), batches, rebuilt)


def _loader(scene: Scene) -> tuple[Any, bool]:
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    if sample is None:
        raise NotExamined("the training batches did not come from a torch DataLoader that could be heard")
    steps = scene.heard.steps
    fresh = sum(step.fresh_iterator for step in steps)
    if sample.batches_given > 1 and fresh < 0.9 * len(steps):
        return sample.loader, False
    return sample.loader, sample.batches_given > 1


def _alike(a: Moment, b: Moment) -> bool:
    mine, theirs = (_leaves(moment) for moment in (a, b))
    return (
        bool(mine) and len(mine) == len(theirs) and all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(mine, theirs, strict=True))
    )


def _leaves(moment: Moment) -> list[Tensor]:
    """The batch where one was heard, and with it what the network was given."""
    return [leaf for leaf in flatten(moment.batch)[0] if isinstance(leaf, Tensor)] if moment.batch is not None else list(moment.inputs)
