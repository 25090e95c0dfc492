"""What every task that foretells tokens shares: cross-entropy over the tokens that count, and sums of it by example."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.record.batch import Batch
from leadline.tasks.task import Loss, Task
from leadline.text.sizes import characters

if TYPE_CHECKING:
    import torch

NOT_ASKED = -100


class Language(Task):
    """Targets are token ids (B, T), -100 where none is asked for. The loss is a mean over the tokens asked for, whatever the padding."""

    learns = None
    metrics = ("perplexity", "bits_per_character", "token_accuracy")
    best = ("loss", "min")
    loss_name = "cross_entropy"

    def logits(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """(B, T, V) what the network foretells for each place of the target."""
        return model(*batch.inputs)

    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        from torch.nn import functional

        logits = self.logits(model, batch)
        asked = (batch.target != NOT_ASKED).sum()
        total = functional.cross_entropy(logits.flatten(0, 1).float(), batch.target.flatten(), ignore_index=NOT_ASKED, reduction="sum")
        yield Loss(total / asked.clamp(min=1), asked)

    def floor(self, batch: Batch) -> float:
        """The entropy of what follows equal beginnings: which name comes next is not to be known before its first letter."""
        followers: dict[tuple[int, ...], Counter[int]] = {}
        rows = zip(batch.inputs[0].tolist(), batch.target.tolist(), strict=True)
        for ids, target in rows:
            for place, asked in enumerate(target):
                if asked != NOT_ASKED:
                    followers.setdefault(tuple(ids[: place + 1]), Counter())[asked] += 1
        total = sum(each.total() for each in followers.values())
        surprise = (count * math.log(each.total() / count) for each in followers.values() for count in each.values())
        return sum(surprise) / max(1, total)

    def keep(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """(B, 4): sum of the losses in nats, tokens asked for, of these foretold rightly, and their characters."""
        import torch
        from torch.nn import functional

        target = batch.target
        asked = target != NOT_ASKED
        each = functional.cross_entropy(outputs.flatten(0, 1).float(), target.flatten(), ignore_index=NOT_ASKED, reduction="none")
        right = (outputs.argmax(-1) == target) & asked
        long = self._characters(outputs.shape[-1], outputs.device)[target.clamp(min=0)] * asked
        return torch.stack([each.view_as(target).sum(1), asked.sum(1).float(), right.sum(1).float(), long.sum(1)], dim=1)

    def keep_target(self, batch: Batch) -> torch.Tensor:
        return batch.index

    def each_loss(self, kept: torch.Tensor, target: torch.Tensor) -> np.ndarray:
        return (kept[:, 0].double() / kept[:, 1].double().clamp(min=1)).numpy()

    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        return {"tokens": outputs.double().numpy()}

    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        return [{"perplexity": float(np.exp(total / max(count, 1))), "tokens": int(count)} for total, count, *_ in predictions["tokens"]]

    def _characters(self, vocabulary: int, device: torch.device) -> torch.Tensor:
        """(V,) float: characters that each token stands for."""
        import torch

        assert self.tokenizer is not None, "a task that foretells tokens is bound with their tokenizer"
        known = characters(self.tokenizer)
        table = torch.ones(max(vocabulary, len(known)))
        table[: len(known)] = torch.from_numpy(known)
        return table.to(device)
