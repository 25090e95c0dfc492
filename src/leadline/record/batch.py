"""A batch: what one step sees. It passes between data, task and loop, so it stands below all three."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Batch:
    """What one step sees: model inputs, encoded targets (B, ...), the examples' numbers (B,) and optional weights (B,)."""

    inputs: tuple[torch.Tensor, ...]
    target: torch.Tensor
    index: torch.Tensor
    weight: torch.Tensor | None = None
    total: int = 0
    """Examples in the whole step's batch, over all processes; what the step's loss is a mean over."""

    def __len__(self) -> int:
        return len(self.target)

    def parts(self, count: int) -> Iterator[Batch]:
        """The batch cut into `count` nearly equal runs of examples, without copies."""
        size = -(-len(self) // count)
        for start in range(0, len(self), size):
            cut = slice(start, start + size)
            weight = None if self.weight is None else self.weight[cut]
            yield Batch(tuple(part[cut] for part in self.inputs), self.target[cut], self.index[cut], weight, self.total)
