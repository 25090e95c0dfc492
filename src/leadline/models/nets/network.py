"""What every network here tells about itself: its head and its weights by depth. Adapting needs nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from torch import nn


class Network(nn.Module, ABC):
    """A module with a head and blocks. While some of its weights are frozen, the frozen parts stay in evaluation mode.

    `train()` therefore never switches on the dropout or moves the batch-norm statistics of a frozen part, whoever calls it.
    """

    fixed: frozenset[str] = frozenset()
    """Names of parameters that never learn by design (such as sine positions); unfreezing leaves them alone."""

    rebuild: Mapping[str, Any] = MappingProxyType({})
    """Settings in place of the recipe's that build it again, where those would need a download."""

    def plain(self) -> Network:
        """What is packaged: itself, or a copy whose adapters are added into the weights."""
        return self

    def save_adapter(self, folder: Path) -> None:
        """Write its adapters alone, where it has some."""

    @property
    @abstractmethod
    def head(self) -> nn.Module:
        """The last layer with weights: from features to logits or values."""

    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """The modules between input and head, in the order of depth; activation checkpointing and learning rates work per block."""

    def stages(self) -> list[list[str]]:
        """Names of the weights by depth, input first, the head's last; every weight that may learn stands in exactly one stage.

        Weights outside blocks and head (class tokens, positions) belong to the first stage.
        """
        parts = [*self.blocks(), self.head]
        depth_of = {id(weight): depth for depth, part in reversed(list(enumerate(parts))) for weight in part.parameters()}
        return self._by_depth(depth_of, count=len(parts))

    def _by_depth(self, depth_of: dict[int, int], *, count: int) -> list[list[str]]:
        stages: list[list[str]] = [[] for _ in range(count)]
        for name, weight in self.named_parameters():
            if name not in self.fixed:
                stages[depth_of.get(id(weight), 0)].append(name)
        return [stage for stage in stages[:-1] if stage] + [stages[-1]]

    def train(self, mode: bool = True) -> Self:
        """Training mode for what learns, evaluation mode for what is frozen."""
        super().train(mode)
        frozen = {id(weight) for name, weight in self.named_parameters() if not weight.requires_grad and name not in self.fixed}
        if mode and frozen:
            _rest(self, frozen)
        return self


def _rest(module: nn.Module, frozen: set[int]) -> None:
    """Put every part whose weights are all frozen into evaluation mode; a norm without weights rests with its neighbours."""
    for child in module.children():
        weights = list(child.parameters())
        keeps_state = bool(weights) or next(child.buffers(), None) is not None
        if keeps_state and all(id(weight) in frozen for weight in weights):
            child.eval()
        else:
            _rest(child, frozen)
