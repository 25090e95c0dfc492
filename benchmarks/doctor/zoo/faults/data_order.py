"""Faults of splits, order and augmentation randomness: D06, D08, D10, D14."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.faults.fault import ALL, CLASSIFY, Fault, need
from zoo.faults.rows import classes, generator, with_dataset, with_rows
from zoo.program import Data, Setup

ROWED = tuple(family for family in ALL if family != "gcn")
ROW_CLASSES = tuple(family for family in CLASSIFY if family != "gcn")


def copied_rows(setup: Setup) -> Setup:
    """A fifth of the training rows stands in the validation split too."""
    count = max(2, len(setup.train_data[0]) // 5)
    val = tuple(torch.cat([mine, theirs[:count]]) for mine, theirs in zip(setup.val_data, setup.train_data, strict=True))
    return with_rows(setup, val=val)


def two_random_splits(setup: Setup) -> Setup:
    """random_split was called twice without a seed: the parts overlap."""
    everything = tuple(torch.cat([a, b]) for a, b in zip(setup.train_data, setup.val_data, strict=True))
    n, size = len(everything[0]), len(setup.val_data[0])
    first, second = (torch.randperm(n, generator=generator(seed)) for seed in (1, 2))
    train, val = (tuple(t[rows] for t in everything) for rows in (first[size:], second[:size]))
    return with_rows(setup, train=train, val=val)


def augmented_copies(setup: Setup) -> Setup:
    """The set was augmented before it was split: noisy copies of training rows validate."""
    need(setup.train_data[0].is_floating_point(), "float inputs")
    count = len(setup.val_data[0]) // 2
    x = setup.train_data[0][:count]
    near = x + 0.02 * x.std() * torch.randn(x.shape, generator=generator())
    rest = (setup.train_data[i][:count] for i in range(1, len(setup.train_data)))
    copies = (near, near) if len(setup.train_data) > 1 and setup.train_data[1] is setup.train_data[0] else (near, *rest)
    val = tuple(torch.cat([mine[:-count], theirs]) for mine, theirs in zip(setup.val_data, copies, strict=True))
    return with_rows(setup, val=val)


def sorted_by_class(setup: Setup) -> Setup:
    """Folder after folder, without shuffle."""
    order = classes(setup).argsort(stable=True)
    return with_rows(setup, train=tuple(t[order] for t in setup.train_data), shuffle=False)


def sorted_shards(setup: Setup) -> Setup:
    """Shards of one class each; the buffer shuffles inside a shard only: the classes come one after the other, upside down."""
    y = classes(setup)
    order = torch.cat([(y == k).nonzero().flatten() for k in reversed(range(setup.num_classes))])
    return with_rows(setup, train=tuple(t[order] for t in setup.train_data), shuffle=False)


class FixedNoise(Dataset[tuple[Tensor, ...]]):
    """Rows with jitter whose random source is made anew, from the same seed, at every item."""

    def __init__(self, data: Data, strength: float) -> None:
        self.data, self.strength = data, strength

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        source = torch.Generator().manual_seed(0)
        noise = torch.randn(self.data[0][index].shape, generator=source)
        row = tuple(t[index] for t in self.data)
        return row[0] + self.strength * noise, *row[1:]


def jitter_of_one_seed(setup: Setup) -> Setup:
    """np.random.RandomState(0) inside __getitem__: every picture gets the same jitter."""
    need(setup.train_data[0].is_floating_point(), "float inputs")
    return with_dataset(setup, FixedNoise(setup.train_data, 0.5 * float(setup.train_data[0].std())))


class FixedShift(Dataset[tuple[Tensor, ...]]):
    """Pictures shifted by an amount drawn from a source seeded by the item's number: the same in every epoch."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        source = torch.Generator().manual_seed(index)
        shift = torch.randint(-1, 2, (2,), generator=source).tolist()
        row = tuple(t[index] for t in self.data)
        return row[0].roll(shift, (-2, -1)), *row[1:]


def shift_of_item_seed(setup: Setup) -> Setup:
    """The augmentation is seeded by the item's index: a picture never looks different."""
    need(setup.train_data[0].dim() == 4, "pictures")
    return with_dataset(setup, FixedShift(setup.train_data))


def noise_of_one_seed(setup: Setup) -> Setup:
    """manual_seed(0) at the head of the training step, for reproducibility: the same times and noise for every batch."""
    need(setup.family == "diffusion", "a model that draws noise")
    plain = setup.forward

    def forward(s: Setup, batch: Data) -> Any:
        torch.manual_seed(0)
        return plain(s, batch)

    return replace(setup, forward=forward)


def first_batch_again(setup: Setup) -> Iterable[Data]:
    """What next(iter(loader)) in every step amounts to without shuffle."""
    for _ in range(len(setup.loader)):
        yield next(iter(setup.loader))


def iterator_rebuilt(setup: Setup) -> Setup:
    """next(iter(loader)) stands inside the loop, and the loader does not shuffle."""
    rows = with_rows(setup, shuffle=False)
    need(len(rows.loader) > 3, "several batches")
    return replace(rows, batches=first_batch_again)


def kept_batch(setup: Setup) -> Iterable[Data]:
    """One batch, fetched before training."""
    if "batch" not in setup.state:
        setup.state["batch"] = next(iter(setup.loader))
    return [setup.state["batch"]] * len(setup.loader)


def debugging_left_in(setup: Setup) -> Setup:
    """The batch of the overfit-one-batch test is still used."""
    need(len(setup.loader) > 3, "several batches")
    return replace(setup, batches=kept_batch)


SHARED = "rows of the training split validate"
SAME = "an augmented row is the same in every epoch"
REPEAT = "every step sees the same rows"
FAULTS = (
    Fault("D06", "copied_rows", copied_rows, ROWED, invariant=SHARED),
    Fault("D06", "two_random_splits", two_random_splits, ROWED, invariant=SHARED, alike=("E04",)),
    Fault("D06", "augmented_copies", augmented_copies, ("mlp", "cnn_bn", "resnet", "vit", "rnn", "autoencoder"), invariant=SHARED),
    Fault("D08", "sorted_by_class", sorted_by_class, ROW_CLASSES),
    Fault("D08", "sorted_shards", sorted_shards, ROW_CLASSES),
    Fault("D10", "jitter_of_one_seed", jitter_of_one_seed, ("mlp", "cnn_bn", "resnet", "vit", "rnn"), invariant=SAME),
    Fault("D10", "shift_of_item_seed", shift_of_item_seed, ("cnn_bn", "resnet", "vit"), invariant=SAME),
    Fault("D10", "noise_of_one_seed", noise_of_one_seed, ("diffusion",), invariant="every batch draws the same noise"),
    Fault("D14", "iterator_rebuilt", iterator_rebuilt, ROWED, invariant=REPEAT, stage="L"),
    Fault("D14", "debugging_left_in", debugging_left_in, ROWED, invariant=REPEAT, stage="L"),
)
