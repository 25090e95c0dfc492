"""Whether a distributed sampler is told its epochs, and how many ranks it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data.distributed import DistributedSampler

from leadline.doctor.evidence import NotExamined, Scene


@dataclass(frozen=True)
class SamplerEpochs:
    """begun: how often the loader was begun while the sampler stood at epoch 0 and shuffles (0: it was told, or does not shuffle).
    ranks: what the sampler counts; running: how many processes run.
    """

    begun: int
    ranks: int
    running: int


def measure(scene: Scene) -> SamplerEpochs:
    """Raises NotExamined where the loader has no distributed sampler."""
    sample = scene.sample
    sampler: Any = _distributed(sample.loader)
    if sampler is None:
        raise NotExamined("the loader has no distributed sampler")
    running = torch.distributed.get_world_size() if torch.distributed.is_available() and torch.distributed.is_initialized() else 1
    stuck = scene.door == "watch" and sampler.shuffle and sampler.epoch == 0
    return SamplerEpochs(sample.begun if stuck else 0, sampler.num_replicas, running)


def _distributed(loader: Any) -> DistributedSampler[Any] | None:
    for holder in (loader, getattr(loader, "batch_sampler", None)):
        sampler = getattr(holder, "sampler", None)
        if isinstance(sampler, DistributedSampler):
            return sampler
    return None
