"""Cutting units into sides: each stratum in its shares, each unit whole, each class on every side where that can be.

A unit is a set of rows that must stay together: a group, twins, or a single row. Units that are large beside the data are placed one by
one where they are missed most, as scikit-learn's StratifiedGroupKFold does for equal folds; the many small ones then all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadline.data.random import uniforms

TRAIN, VAL, TEST = 0, 1, 2


@dataclass(frozen=True)
class Units:
    """Rows as units and strata, both coded 0..: per (unit, stratum) pair that occurs, how many rows it has. Sorted by unit."""

    of_row: np.ndarray
    sizes: np.ndarray
    pair_unit: np.ndarray
    pair_stratum: np.ndarray
    pair_rows: np.ndarray
    num_strata: int

    @classmethod
    def count(cls, units: np.ndarray, strata: np.ndarray) -> Units:
        """From the unit and the stratum of each row, any integer labels."""
        _, of_row = np.unique(units, return_inverse=True)
        _, codes = np.unique(strata, return_inverse=True)
        num_strata = int(codes.max()) + 1
        pairs, rows = np.unique(of_row.astype(np.int64) * num_strata + codes, return_counts=True)
        return cls(of_row, np.bincount(of_row), pairs // num_strata, pairs % num_strata, rows, num_strata)

    def rows_of_strata(self) -> np.ndarray:
        """(S,) rows of each stratum."""
        return np.bincount(self.pair_stratum, weights=self.pair_rows, minlength=self.num_strata).astype(np.int64)

    def units_of_strata(self) -> np.ndarray:
        """(S,) units in which each stratum occurs."""
        return np.bincount(self.pair_stratum, minlength=self.num_strata)

    def main_stratum(self) -> np.ndarray:
        """(U,) the stratum with most rows in each unit."""
        order = np.lexsort((self.pair_rows, self.pair_unit))
        last = np.flatnonzero(np.diff(self.pair_unit[order], append=-1))
        return self.pair_stratum[order][last]


def cut(units: np.ndarray, strata: np.ndarray, *, shares: tuple[float, float, float], seed: int) -> np.ndarray:
    """(n,) int8 side of each row: 0 train, 1 val, 2 test, in about the shares given (they sum to 1), the same for the same arguments."""
    table = Units.count(units, strata)
    wanted = quotas(table.rows_of_strata(), shares, seed=seed)
    chance = uniforms(seed, 0, np.arange(len(table.sizes)), 1, purpose="split")[:, 0]
    side = np.full(len(table.sizes), -1, np.int8)
    large = np.flatnonzero(table.sizes > max(1, len(units) // 1000))  # at most 1000 of them
    filled = _place_large(table, large[np.lexsort((chance[large], -table.sizes[large]))], side, wanted=wanted)
    _place_small(table, np.flatnonzero(side < 0), side, room=np.maximum(wanted - filled, 0), chance=chance)
    _mend(table, side, used=np.array(shares) > 0)
    return side[table.of_row]


def quotas(sizes: np.ndarray, shares: tuple[float, float, float], *, seed: int = 0) -> np.ndarray:
    """(S, 3) rows of each stratum per side: the sides' totals as asked, at least one row for train, then val, then test."""
    wanted = np.zeros((len(sizes), 3), np.int64)
    luck = uniforms(seed, 1, np.arange(len(sizes)), 1, purpose="split")[:, 0]
    surplus = np.zeros(len(sizes))  # what rounding gave a stratum already: the next side rounds the others up
    for side in (TEST, VAL):
        exact = sizes * shares[side]
        count = np.floor(exact).astype(np.int64)
        missing = round(exact.sum()) - count.sum()
        count[np.lexsort((luck, (count - exact + surplus).round(9)))[:missing]] += 1
        surplus += count - exact
        wanted[:, side] = np.maximum(count, 1) if shares[side] > 0 else 0
    for side in (TEST, VAL):  # a stratum too small for three sides gives up the test first
        lacking = 1 - (sizes - wanted.sum(1))
        wanted[:, side] -= np.clip(lacking, 0, wanted[:, side])
    wanted[:, TRAIN] = sizes - wanted.sum(1)
    return wanted


def _place_large(table: Units, order: np.ndarray, side: np.ndarray, *, wanted: np.ndarray) -> np.ndarray:
    """Each unit goes where it lowers the squared distance from the wanted counts most, relative to them. Returns the rows (S, 3) placed."""
    filled = np.zeros_like(wanted)
    starts = np.searchsorted(table.pair_unit, order)
    ends = np.searchsorted(table.pair_unit, order, side="right")
    barred = wanted.sum(0) == 0
    for unit, start, end in zip(order, starts, ends, strict=True):
        strata, rows = table.pair_stratum[start:end], table.pair_rows[start:end, None]
        aim = np.maximum(wanted[strata], 0.5)
        change = (rows * (2 * (filled[strata] - wanted[strata]) + rows) / aim).sum(0)
        change[barred] = np.inf
        side[unit] = int(change.argmin())
        filled[strata, side[unit]] += rows[:, 0]
    return filled


def _place_small(table: Units, small: np.ndarray, side: np.ndarray, *, room: np.ndarray, chance: np.ndarray) -> None:
    """All at once: within its main stratum each unit, in random order, falls into the stretch of the side in which its middle lies."""
    if not len(small):
        return
    stratum = table.main_stratum()[small]
    order = np.lexsort((chance[small], stratum))
    small, stratum = small[order], stratum[order]
    sizes = table.sizes[small]
    present = np.bincount(stratum, weights=sizes, minlength=table.num_strata)
    base = np.concatenate([[0.0], np.cumsum(present)[:-1]])
    middle = np.cumsum(sizes) - sizes / 2 - base[stratum]
    scale = present / np.maximum(room.sum(1), 1)
    test = room[:, TEST] * scale
    val = test + room[:, VAL] * scale
    side[small] = np.where(middle < test[stratum], TEST, np.where(middle < val[stratum], VAL, TRAIN))


def _mend(table: Units, side: np.ndarray, *, used: np.ndarray) -> None:
    """Where a stratum, or everything, is missing from a side that is used, move the smallest unit there that no other side would miss."""
    by_stratum = np.argsort(table.pair_stratum, kind="stable")
    ends = np.cumsum(table.units_of_strata())
    standing = np.zeros((table.num_strata, 3), np.int64)
    np.add.at(standing, (table.pair_stratum, side[table.pair_unit]), 1)
    for stratum, empty in np.argwhere((standing == 0) & used):
        begin = ends[stratum - 1] if stratum else 0
        _move(table, side, table.pair_unit[by_stratum[begin : ends[stratum]]], to=int(empty), standing=standing)
    for empty in np.flatnonzero(used & (np.bincount(side, minlength=3) == 0)):
        _move(table, side, np.arange(len(side)), to=int(empty), standing=np.full_like(standing, 2))  # some stratum must leave a side


def _move(table: Units, side: np.ndarray, candidates: np.ndarray, *, to: int, standing: np.ndarray) -> None:
    """Move the smallest candidate that leaves all its strata, and something at all, on the side it comes from."""
    on_side = np.bincount(side, minlength=3)
    for unit in candidates[np.argsort(table.sizes[candidates], kind="stable")]:
        begin, end = np.searchsorted(table.pair_unit, [unit, unit + 1])
        strata, origin = table.pair_stratum[begin:end], side[unit]
        if origin != to and on_side[origin] > 1 and (standing[strata, origin] > 1).all():
            standing[strata, origin] -= 1
            standing[strata, to] += 1
            side[unit] = to
            return
