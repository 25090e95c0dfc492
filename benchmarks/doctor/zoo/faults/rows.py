"""Changes of a set-up's data: inputs, targets, order; the loaders are built anew, a whole graph stays a whole graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.families import gcn
from zoo.faults.fault import need
from zoo.program import Data, Setup, make_loader, with_data

Change = Callable[[Tensor], Tensor]


def with_rows(setup: Setup, *, train: Data | None = None, val: Data | None = None, test: Data | None = None, **options: Any) -> Setup:
    """The set-up on other rows; options go to the training loader."""
    train, val, test = train or setup.train_data, val or setup.val_data, test or setup.test_data
    if setup.family == "gcn":
        whole = [make_loader(gcn.WholeGraph(*part), batch_size=1, shuffle=False, collate_fn=gcn.first) for part in (train, val)]
        return replace(setup, train_data=train, val_data=val, test_data=test, loader=whole[0], val_loader=whole[1])
    size = options.get("batch_size", setup.loader.batch_size)
    options.setdefault("drop_last", len(train[0]) % size == 1)  # batch norm refuses a last row alone
    return with_data(setup, train=train, val=val, test=test, **options)


def with_dataset(setup: Setup, dataset: Dataset[Any], **options: Any) -> Setup:
    """The set-up with its training rows from a data set of one's own."""
    loader: DataLoader[Any] = make_loader(dataset, batch_size=setup.loader.batch_size or 1, seed=setup.seed, **options)
    return replace(setup, loader=loader)


def on_inputs(setup: Setup, change: Change, *, parts: tuple[str, ...] = ("train", "val", "test")) -> Setup:
    """Change the float inputs (and the targets, where they are the inputs themselves)."""
    need(setup.train_data[0].is_floating_point(), "float inputs")

    def changed(name: str, data: Data) -> Data:
        if name not in parts:
            return data
        x = change(data[0])
        return (x, x) if len(data) > 1 and data[1] is data[0] else (x, *data[1:])

    return with_rows(
        setup, train=changed("train", setup.train_data), val=changed("val", setup.val_data), test=changed("test", setup.test_data)
    )


def on_targets(setup: Setup, change: Change, *, parts: tuple[str, ...] = ("train", "val")) -> Setup:
    """Change the targets of these parts; a graph's unknown classes (-100) stay."""
    need(len(setup.train_data) > 1, "targets")

    def changed(name: str, data: Data) -> Data:
        if name not in parts:
            return data
        y = change(data[1])
        return data[0], torch.where(data[1] == -100, data[1], y) if setup.family == "gcn" else y

    return with_rows(
        setup, train=changed("train", setup.train_data), val=changed("val", setup.val_data), test=changed("test", setup.test_data)
    )


def classes(setup: Setup) -> Tensor:
    """The training rows' classes, one a row."""
    y = setup.train_data[1]
    need(setup.task in ("classify", "binary") and setup.num_classes > 1, "a class a row")
    return y.flatten().long()


def generator(seed: int = 0) -> torch.Generator:
    """A source of random numbers of its own."""
    return torch.Generator().manual_seed(seed)
