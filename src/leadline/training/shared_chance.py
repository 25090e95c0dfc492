"""Dropout over several processes: each draws for the whole step's batch and keeps its own rows, so that all together draw what one would.

On CPUs only: a GPU's processes draw each for themselves, or dropout would cost every one of them the work of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from leadline.record.batch import Batch
from leadline.training.distributed import World

CHANCE = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "DropPath", "StochasticDepth")
"""Modules that draw, by name: torch's, our own, timm's and torchvision's."""


@dataclass
class Share:
    """Which rows of the step's batch this process has before it now: `own` of `total`, from number `begin` on."""

    world: World
    total: int = 0
    begin: int = 0
    own: int = 0

    def take(self, batch: Batch, *, offset: int, count: int) -> None:
        """Note the micro-batch that comes next: `count` rows of `batch` from its row `offset` on."""
        self.total, self.own = batch.total or len(batch), count
        self.begin = self.total * self.world.rank // self.world.size + offset  # as data.order shares a batch out


def share_chance(model: nn.Module, world: World) -> Share | None:
    """Have the model's dropout draw for all processes; None where nothing is shared. Changes no name and nothing in eval mode."""
    if world.size == 1 or next(model.parameters()).device.type != "cpu":
        return None
    share = Share(world)
    for module in model.modules():
        if type(module).__name__ in CHANCE:
            module.forward = partial(_drawn_for_all, module, share)
    return share


def _drawn_for_all(module: nn.Module, share: Share, input: torch.Tensor) -> Any:
    """The module's answer for its rows within the whole batch; the rows of other processes are zeros that go again."""
    plain = partial(type(module).forward, module)
    if not module.training or len(input) != share.own:  # the latter: not one row per example
        return plain(input)
    behind = share.total - share.begin - share.own
    whole = functional.pad(input, (0, 0) * (input.ndim - 1) + (share.begin, behind))
    return plain(whole)[share.begin : share.begin + share.own]
