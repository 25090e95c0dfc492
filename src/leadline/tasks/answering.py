"""The second half of the task contract: what becomes of a network's outputs, in evaluation and for people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.record.batch import Batch

if TYPE_CHECKING:
    import torch


class Answering(ABC):
    """From outputs to what is kept of a batch, from that to what is scored, and to answers. Most tasks need the last two only."""

    def floor(self, batch: Batch) -> float:
        """The lowest loss that a network could reach which knew this batch by heart; above 0 where equal inputs have several answers."""
        return 0.0

    def keep(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """What evaluation keeps of a batch's outputs, (B, ...) of one shape however long the batch was; made on the device."""
        return outputs

    def keep_target(self, batch: Batch) -> torch.Tensor:
        """What evaluation keeps of its targets, likewise."""
        return batch.target

    def respond(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """The network's answer to examples without targets, as `keep` takes it."""
        return model(*batch.inputs)

    def write(self, model: torch.nn.Module, batch: Batch) -> dict[str, np.ndarray]:
        """What only the final evaluation measures, for it takes long: {"texts": (B, 2) what was written and what was right}."""
        return {}

    def each_loss(self, kept: torch.Tensor, target: torch.Tensor) -> np.ndarray:
        """(N,) float64 plain loss of each example, from what was kept: without smoothing or weights."""
        from leadline.tasks.losses import plain

        return plain(kept, target)

    @abstractmethod
    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        """What was kept, of all examples, to what scores and people use: {"probabilities": (N, C)}, {"values": (N,)} in the user's units,
        {"tokens": (N, 4) sums of the losses of its tokens in nats, their number, how many were foretold rightly, their characters},
        {"tags": (N, 2) lists of tags said and true}, {"pairs": (N, 2, D)}."""

    @abstractmethod
    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """One JSON row per example: {"label", "confidence", "top"}, {"value"}, {"tags"} or {"text"}."""
