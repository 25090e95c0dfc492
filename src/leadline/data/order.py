"""Which examples each step sees: an order that is a function of (seed, epoch), cut into steps, and each step shared among processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadline.data.random import permutation, weighted

POOLED = 50  # batches sorted by length at a time: enough for little padding, few enough that neighbours change with each epoch
_DRAW_BIT = 40  # an example's number stays below 2**40, the number of its draw within the epoch stands above


@dataclass(frozen=True)
class Order:
    """indices: (n,) the examples; batch_size: per step over all `world` processes; chances: (n,) for drawing with replacement, or None.

    lengths: (n,) of the examples; those of a batch are then of like length, so that little of it is padding.
    """

    indices: np.ndarray
    batch_size: int
    seed: int
    shuffle: bool
    rank: int
    world: int
    chances: np.ndarray | None = None
    lengths: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Steps per epoch: a last batch of less than half the size is dropped, unless it is the only one."""
        full, rest = divmod(len(self.indices), self.batch_size)
        return full + (2 * rest >= self.batch_size or full == 0)

    def epoch(self, epoch: int) -> np.ndarray:
        """(n,) the examples in the epoch's order."""
        if self.chances is not None:
            return self.indices[weighted(self.chances, len(self.indices), seed=self.seed, epoch=epoch)]
        if not self.shuffle:
            return self.indices
        order = permutation(len(self.indices), self.seed, epoch)
        return self.indices[order if self.lengths is None else self._grouped(order, epoch)]

    def _grouped(self, order: np.ndarray, epoch: int) -> np.ndarray:
        """A random order in which each batch holds examples of like length: random pools of batches, each sorted, its batches shuffled.

        What does not fill a batch stays at the end, where it stood.
        """
        assert self.lengths is not None
        size = self.batch_size
        whole = len(order) // size * size
        pool = POOLED * size
        sorted_ = [part[np.argsort(self.lengths[part], kind="stable")] for part in np.split(order[:whole], range(pool, whole, pool))]
        batches = np.concatenate(sorted_).reshape(-1, size) if whole else order[:0].reshape(0, size)
        return np.concatenate([batches[permutation(len(batches), self.seed + 1, epoch)].reshape(-1), order[whole:]])

    def bounds(self, step: int) -> tuple[int, int]:
        """The step's whole batch, as places in the epoch's order."""
        return step * self.batch_size, min((step + 1) * self.batch_size, len(self.indices))

    def share(self, step: int) -> tuple[int, int]:
        """This process's part of it; the parts' sizes differ by one at most."""
        begin, end = self.bounds(step)
        return begin + (end - begin) * self.rank // self.world, begin + (end - begin) * (self.rank + 1) // self.world

    def own(self, whole: np.ndarray) -> np.ndarray:
        """This process's parts of all steps, one after the other, from any array in the epoch's order."""
        if self.world == 1:
            return whole[: self.bounds(self.steps - 1)[1]]
        return np.concatenate([whole[slice(*self.share(step))] for step in range(self.steps)])


def equal_chances(codes: np.ndarray) -> np.ndarray:
    """(n,) chances that make each class as likely as any other; codes: (n,) class codes."""
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return 1 / counts[place] / len(counts)


def draw_numbers(whole: np.ndarray) -> np.ndarray:
    """(n,) the examples' numbers, different for each time that one comes, so that its changes differ too."""
    place = np.argsort(whole, kind="stable")
    is_first = np.diff(whole[place], prepend=-1) != 0
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(whole)), 0))
    times = np.empty(len(whole), np.int64)
    times[place] = np.arange(len(whole)) - starts
    return whole + (times << _DRAW_BIT)
