"""How long and in what batches to train, from the number of examples. No torch."""

from __future__ import annotations

from typing import Any


def epochs_for(num_examples: int, *, seen: int, least: int, most: int) -> int:
    """Passes over the data so that about `seen` examples are seen in all, within limits: small data is passed over more often."""
    return max(least, min(most, round(seen / num_examples)))


def batch_for(num_examples: int, *, least: int, most: int) -> int:
    """The power of two nearest below a fiftieth of the data, within limits: an epoch of fewer than 50 steps learns too little."""
    return max(least, min(most, 2 ** max(0, (num_examples // 50).bit_length() - 1)))


def for_library(num_examples: int) -> dict[str, Any]:
    """For any network of timm or torchvision: a rate that transformers bear from scratch; the decay is that of their recipes."""
    return {
        "train.epochs": epochs_for(num_examples, seen=200_000, least=10, most=40),
        "train.batch_size": batch_for(num_examples, least=16, most=64),
        "train.optimizer.lr": 5e-4,
        "train.optimizer.weight_decay": 0.05,
    }


def steps_for(num_examples: int, *, batch_size: int, steps: int, most: int) -> dict[str, Any]:
    """Batch size and passes so that about `steps` steps are made, of `most` passes at most; small data in smaller batches."""
    size = max(8, min(batch_size, 2 ** max(0, (num_examples // 20).bit_length() - 1)))
    return {"train.batch_size": size, "train.epochs": max(1, min(most, round(steps * size / max(1, num_examples))))}
