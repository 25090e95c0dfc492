"""Batches whose order and changes are a function of (seed, epoch, index): resumed anywhere, on any number of processes, they agree.

Axes: B examples of one process's share of a step's batch, N all examples.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import tee

import numpy as np
import torch
from torch import Tensor

from leadline.base.errors import InputError
from leadline.data.ahead import ahead
from leadline.data.augment import Augment
from leadline.data.mixing import Mixing, mix_images, mix_targets
from leadline.data.order import Order, draw_numbers, equal_chances
from leadline.data.prepare import Preparer
from leadline.data.settings import AugmentSpec
from leadline.data.store import Store
from leadline.record.batch import Batch
from leadline.record.ports import Images

GATHERED = 512 << 10  # bytes of inputs gathered at once and then sliced: within a core's second-level cache
MOST_GATHERED = 64  # steps
ALIGNED = 64  # bytes; a slice that starts elsewhere may take another path through the matrix library and give other bits


@dataclass(frozen=True)
class _Step:
    """What one step of this process needs. rows: examples to fetch, the first `own` of them its own, then partners that stand elsewhere.

    draws: (rows,) their numbers for chance; total: examples of the whole step; mixing: with partners as places within rows.
    """

    rows: np.ndarray
    draws: np.ndarray
    own: int
    total: int
    mixing: Mixing | None = None


class Batches:
    """Training batches from a store.

    indices: (n,) the examples to train on; targets: (N, ...) encoded, of all examples; weights: (N,) or None, passed on in the batch.
    batch_size: examples per step over all `world` processes; this one takes a contiguous share of each. oversample: (N,) class codes; each
    class is then drawn equally often, n examples per epoch. augment: changes of images, off when None. num_classes: for MixUp and CutMix,
    whose targets become (B, num_classes) shares; None blends numbers.
    The last batch of an epoch is dropped when it would hold less than half of batch_size (its few examples would weigh too much, and batch
    norm fails on one), unless it is the only one; who is left out changes with each epoch.
    Raises InputError LL030 when changes of images are asked for on other data.
    """

    def __init__(
        self,
        store: Store,
        preparer: Preparer,
        *,
        indices: np.ndarray,
        targets: Tensor,
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        augment: AugmentSpec | None = None,
        num_classes: int | None = None,
        rank: int = 0,
        world: int = 1,
        oversample: np.ndarray | None = None,
        weights: Tensor | None = None,
    ) -> None:
        self.store, self.preparer, self.num_classes = store, preparer, num_classes
        rows = np.asarray(indices, dtype=np.int64)
        chances = None if oversample is None else equal_chances(np.asarray(oversample)[rows])
        long = None if store.lengths is None else store.lengths[rows].sum(axis=1)
        self.order = Order(rows, batch_size, seed, shuffle, rank, world, chances, long)
        self.steps = self.order.steps
        self.targets = targets.to(store.device)
        self.weights = None if weights is None else weights.to(store.device)
        self.augment = Augment(augment or AugmentSpec(), seed=seed)
        if (self.augment.changes or self.augment.mixes) and not isinstance(preparer.gives, Images):
            text = "train.augment changes images, and the data holds none"
            raise InputError("LL030", text, where="train.augment", help="train.augment=none")
        sizes = [*store.layout.row_bytes, self.targets[:1].nbytes, 8]
        self._together = _together(self.order, sizes, growth=4 if isinstance(preparer.gives, Images) else 1)  # bytes become floats

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """This process's share of the steps `start`, start + 1, ... of an epoch, the same ones as without the steps before."""
        if self.store.kind == "memory" and not self.augment.mixes and not self.preparer.varies:
            return self._gathered(epoch, start)
        batches = self._streamed(epoch, start)
        return batches if self.store.works_ahead else ahead(batches)

    def sequential(self, indices: np.ndarray, batch_size: int) -> Iterator[Batch]:
        """All of `indices` in their order, unchanged, in batches of at most `batch_size`: for validation and evaluation."""
        batches = self._plain(np.asarray(indices, dtype=np.int64), batch_size)
        return batches if self.store.works_ahead else ahead(batches)

    def example_batch(self, n: int) -> Batch:
        """The first `n` training examples, unchanged."""
        rows = self.order.indices[:n]
        return self._batch(self.store.fetch(rows), rows)

    def _plain(self, rows: np.ndarray, batch_size: int) -> Generator[Batch, None, None]:
        parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        for part, stored in zip(parts, self.store.stream(parts), strict=True):
            yield self._batch(stored, part)

    def _batch(self, stored: tuple[Tensor, ...], rows: np.ndarray) -> Batch:
        index = torch.from_numpy(rows).to(self.store.device)
        weight = None if self.weights is None else self.weights.index_select(0, index)
        stored = cut(stored, None if self.store.lengths is None else self.store.lengths[rows])
        return Batch(self.preparer.inputs(stored), self._target(stored, index), index, weight, len(rows))

    def _target(self, stored: tuple[Tensor, ...], index: Tensor) -> Tensor:
        """What lies in the examples themselves, or beside them."""
        found = self.preparer.targets(stored)
        return self.targets.index_select(0, index) if found is None else found

    def _gathered(self, epoch: int, start: int) -> Generator[Batch, None, None]:
        """From memory: several steps by one gather per tensor, then slices. Blocks begin at the same steps wherever one starts."""
        order, together = self.order, self._together
        whole = order.epoch(epoch)
        rows = order.own(whole)
        draws = order.own(draw_numbers(whole)) if order.chances is not None else rows
        there = torch.from_numpy(rows).to(self.store.home)
        begin, end = order.share(0)
        size = end - begin
        for first in range(start - start % together, self.steps, together):
            place = slice(first * size, (first + together) * size)
            stored = self.store.fetch(there[place])
            if self.augment.changes:
                stored = (self.augment.change(stored[0], epoch=epoch, indices=draws[place]), *stored[1:])
            inputs = [part.split(size) for part in self.preparer.inputs(stored)]
            index = there[place].to(self.store.device)
            targets = self._target(stored, index).split(size)
            weights = None if self.weights is None else self.weights.index_select(0, index).split(size)
            for number, (target, each) in enumerate(zip(targets, index.split(size), strict=True)):
                if first + number >= start:
                    low, high = order.bounds(first + number)
                    weight = None if weights is None else weights[number]
                    yield Batch(tuple(part[number] for part in inputs), target, each, weight, high - low)

    def _streamed(self, epoch: int, start: int) -> Generator[Batch, None, None]:
        """Step by step, from any store, and with mixing."""
        steps, again = tee(_plan(self.order, self.augment, self.store.layout.shapes[0][-2:], epoch=epoch, start=start))
        for step, stored in zip(steps, self.store.stream(each.rows for each in again), strict=True):
            yield self._made(step, stored, epoch)

    def _made(self, step: _Step, stored: tuple[Tensor, ...], epoch: int) -> Batch:
        """The batch of one step, changed and mixed."""
        if self.augment.changes:
            stored = (self.augment.change(stored[0], epoch=epoch, indices=step.draws), *stored[1:])
        if step.mixing is None:
            return replace(self._batch(stored, step.rows), total=step.total)
        return replace(self._mixed(step, stored[0], step.mixing), total=step.total)

    def _mixed(self, step: _Step, images: Tensor, mixing: Mixing) -> Batch:
        own = slice(step.own)
        place = torch.from_numpy(mixing.partner).to(images.device)
        pixels = mix_images(images[own], images.index_select(0, place), mixing)
        index = torch.from_numpy(step.rows).to(self.store.device)
        weights = None if self.weights is None else self.weights.index_select(0, index)
        plain = Batch((pixels,), self.targets.index_select(0, index), index, weights, step.total)
        target = mix_targets(plain.target[own], plain.target.index_select(0, place), mixing, num_classes=self.num_classes)
        weight = plain.weight
        if weight is not None:
            weight = mix_targets(weight[own], weight.index_select(0, place), mixing, num_classes=None)
        return Batch(self.preparer.inputs((pixels,)), target, plain.index[own], weight)


def _together(order: Order, row_bytes: list[int], *, growth: int) -> int:
    """How many steps one gather serves: several when batches are small, and only if each then begins as aligned as a batch alone.

    row_bytes: of each tensor of an example, the inputs first; growth: how many times larger the inputs get.
    """
    begin, end = order.share(0)
    size = end - begin
    last = order.share(order.steps - 1)
    if not size or last[0] == last[1] or any(size * each % ALIGNED for each in row_bytes):
        return 1
    return max(1, min(GATHERED // max(size * sum(row_bytes) * growth, 1), MOST_GATHERED))


def _plan(order: Order, augment: Augment, shape: tuple[int, ...], *, epoch: int, start: int) -> Iterator[_Step]:
    whole = order.epoch(epoch)
    draws = whole if order.chances is None else draw_numbers(whole)
    for step in range(start, order.steps):
        first, last = order.bounds(step)
        begin, end = order.share(step)
        if not augment.mixes:
            yield _Step(whole[begin:end], draws[begin:end], end - begin, last - first)
            continue
        mixing = augment.mixing((shape[0], shape[1]), epoch=epoch, step=step, size=last - first).part(begin - first, end - first)
        place = np.arange(begin, end)
        if order.world > 1:  # a partner may stand in another process's share; every store holds all examples
            place = np.concatenate([place, first + mixing.partner])
            mixing = replace(mixing, partner=np.arange(end - begin, 2 * (end - begin)))
        yield _Step(whole[place], draws[place], end - begin, last - first, mixing)


def cut(stored: tuple[Tensor, ...], lengths: np.ndarray | None) -> tuple[Tensor, ...]:
    """Stored arrays (B, length, ...) without what no example of the batch fills. lengths: (B, arrays), on the host: nothing waits."""
    if lengths is None:
        return stored
    return tuple(part[:, :longest] for part, longest in zip(stored, lengths.max(axis=0).tolist(), strict=True))
