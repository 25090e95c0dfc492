"""A map-style torch Dataset of (example, label), read once into arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from leadline.base.errors import InputError


def is_dataset(value: Any) -> bool:
    """Whether it is a torch Dataset, map-style or not."""
    import torch.utils.data

    return isinstance(value, torch.utils.data.Dataset)


def items_of(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """(X, y) of all items: tensors, arrays, PIL pictures or vectors with their labels.

    Raises InputError LL004 for an iterable-style dataset, LL002 for an empty one, LL013 for items of different shapes or without label.
    """
    import torch.utils.data

    name = type(dataset).__name__
    if isinstance(dataset, torch.utils.data.IterableDataset):
        raise InputError("LL004", f"{name} is an iterable dataset", where="data", help="give a map-style one, or (X, y)")
    if isinstance(dataset, torch.utils.data.TensorDataset) and len(dataset.tensors) == 2:
        x, y = dataset.tensors
        return x.numpy(), y.numpy()
    if not len(dataset):
        raise InputError("LL002", f"{name} is empty", where="data")
    first = _example(dataset, 0)[0]
    examples = np.empty((len(dataset), *first.shape), dtype=first.dtype)
    labels: list[Any] = []
    for place in range(len(dataset)):
        example, label = _example(dataset, place)
        if example.shape != first.shape:
            raise InputError(
                "LL013",
                f"item 0 of {name} has the shape {first.shape} and item {place} {example.shape}",
                where="data",
                help="bring all to one size in the dataset, or give a folder of pictures",
            )
        examples[place] = example
        labels.append(label)
    return examples, np.asarray(labels)


def _example(dataset: Any, place: int) -> tuple[np.ndarray, Any]:
    item = dataset[place]
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise InputError(
            "LL013",
            f"item {place} is not (example, label)",
            where="data",
            help="return a pair from __getitem__",
        )
    example, label = item
    return np.asarray(example), label.item() if type(label).__module__ in ("torch", "numpy") and np.ndim(label) == 0 else label
