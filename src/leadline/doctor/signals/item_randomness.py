"""Whether a data set's random changes are random: one row asked for twice with other generators, and what it drew from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.data import IterableDataset, TensorDataset

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.signals.rows import inner_dataset
from leadline.doctor.tape import RANDOM, flatten
from leadline.doctor.twin import seed_all

KEEP = True  # the data set does not change

Problem = Literal["reseeds", "same noise", "same by row", ""]


@dataclass(frozen=True)
class ItemRandomness:
    """problem: "reseeds" (a row sets the process's generators back), "same noise" (each row is changed by the same draw), "same by row"
    (a stored
    row is changed by a draw that is the same in every epoch), "". which: the generators that are set back.
    """

    problem: Problem
    which: tuple[str, ...]


class _Draws(TorchFunctionMode):
    """Counts random functions of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += getattr(func, "__name__", "").rstrip("_") in RANDOM
        return func(*args, **(kwargs or {}))


def measure(scene: Scene) -> ItemRandomness:
    """Asks the training set for its first two rows, twice each, with other generators. Raises NotExamined where rows cannot be asked
    for."""
    dataset, _ = inner_dataset(scene.sample.loader)
    if (
        dataset is None
        or isinstance(dataset, IterableDataset)
        or type(dataset) is TensorDataset
        or not hasattr(type(dataset), "__getitem__")
    ):
        raise NotExamined("the data set has no rows of its own to ask for")
    if type(dataset).__module__.startswith("torch.") or isinstance(dataset, (list, dict)) or len(dataset) < 2:
        raise NotExamined("the data set is plain data")
    with _drawing() as draws:
        first, after_first = _asked(dataset, 0, seed=1)
        again, after_again = _asked(dataset, 0, seed=2)
        other, _ = _asked(dataset, 1, seed=2)
    which = tuple(name for name in after_first if after_first[name] == after_again[name])
    if which:
        return ItemRandomness("reseeds", which)
    if not draws() or not _equal(first, again):
        return ItemRandomness("", ())
    return ItemRandomness(_fixed(dataset, first, other), ())


@contextmanager
def _drawing() -> Iterator[Any]:
    """Counts draws of torch and generators made by hand, of numpy and of Python."""
    made = [0]
    places = [(np.random, "RandomState"), (np.random, "default_rng"), (random, "Random")]
    kept = [(owner, name, getattr(owner, name)) for owner, name in places]
    mode = _Draws()

    def counted(original: Any) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            made[0] += 1
            return original(*args, **kwargs)

        return make

    for owner, name, original in kept:
        setattr(owner, name, counted(original))
    try:
        with mode:
            yield lambda: mode.count + made[0]
    finally:
        for owner, name, original in kept:
            setattr(owner, name, original)


def _asked(dataset: Any, index: int, *, seed: int) -> tuple[list[Tensor], dict[str, Any]]:
    seed_all(seed)
    row = dataset[index]
    after = {"torch": torch.get_rng_state().numpy().tobytes(), "numpy": repr(np.random.get_state()), "python": random.getstate()}
    return [torch.as_tensor(leaf) for leaf in flatten(row)[0] if isinstance(leaf, (Tensor, np.ndarray))], after


def _equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return bool(a) and len(a) == len(b) and all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _fixed(dataset: Any, first: list[Tensor], other: list[Tensor]) -> Problem:
    """Random, yet always the same: is it a change of rows that are stored, and the same change for two rows?"""
    for stored in _stored(dataset):
        if len(stored) != len(dataset) or stored[0].shape != first[0].shape or torch.equal(stored[0].to(first[0].dtype), first[0]):
            continue
        changes = [row[0].double() - stored[n].double() for n, row in enumerate((first, other))]
        alike = torch.allclose(changes[0], changes[1], atol=1e-5 * float(changes[0].abs().max()) + 1e-12)
        return "same noise" if alike else "same by row"
    return ""


def _stored(dataset: Any) -> list[Tensor]:
    """Tensors and arrays that the data set keeps, with a row for each of its own."""
    leaves = [leaf for value in vars(dataset).values() for leaf in flatten(value)[0]]
    found = [torch.as_tensor(leaf) for leaf in leaves if isinstance(leaf, (Tensor, np.ndarray)) and getattr(leaf, "ndim", 0)]
    return [tensor for tensor in found if len(tensor)]
