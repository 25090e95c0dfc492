"""Chance without a state: every random number is a pure function of (seed, epoch, index, draw), so it can be had again in any order.

`uniforms` hashes its arguments (splitmix64, Steele, Lea and Flood 2014) and serves what belongs to one example; `generator` is NumPy's
Philox under a key and serves what belongs to a whole epoch or batch.
"""

from __future__ import annotations

import numpy as np

GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # splitmix64's: 2**64 / golden ratio, and two odd mixers
MASK = 2**64 - 1
PLACES = {"order": 1, "oversample": 2, "split": 3, "augment": 4, "mix": 5, "mask": 6}
"""What the chance is for; two purposes never share numbers."""


def uniforms(seed: int, epoch: int, indices: np.ndarray, draws: int, *, purpose: str = "augment") -> np.ndarray:
    """(B, draws) float64 in [0, 1): row b depends on (seed, epoch, indices[b]) and on nothing else; more draws keep the earlier ones."""
    key = _mix_number(_mix_number(_mix_number(seed + GAMMA) ^ epoch) ^ PLACES[purpose])
    stream = _mix(_mix(np.asarray(indices).astype(np.uint64) + np.uint64(GAMMA)) ^ np.uint64(key))
    state = stream[:, None] + np.arange(1, draws + 1, dtype=np.uint64) * np.uint64(GAMMA)
    return (_mix(state) >> np.uint64(11)) * 2.0**-53


def generator(seed: int, epoch: int, *, purpose: str, step: int = 0) -> np.random.Generator:
    """NumPy's counter-based Philox generator for one purpose in one epoch, and for one step of it where a batch has chance of its own."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, step, PLACES[purpose]]))


def permutation(n: int, seed: int, epoch: int, *, purpose: str = "order") -> np.ndarray:
    """(n,) int64: the numbers 0..n-1 in the order of this epoch."""
    return generator(seed, epoch, purpose=purpose).permutation(n)


def weighted(probabilities: np.ndarray, size: int, *, seed: int, epoch: int) -> np.ndarray:
    """(size,) int64 draws with replacement in random order, number i with probability `probabilities[i]` (any positive scale).

    Systematic: number i comes floor or ceil of size * p_i times, never less or more, so that an epoch's shares are as even as they can be.
    """
    chance = generator(seed, epoch, purpose="oversample")
    mixed = chance.permutation(len(probabilities))
    edges = np.cumsum(np.asarray(probabilities, dtype=np.float64)[mixed])
    places = (np.arange(size) + chance.random()) * (edges[-1] / size)
    drawn = np.searchsorted(edges, places, side="right").clip(max=len(mixed) - 1)
    return chance.permutation(mixed[drawn])


def _mix(value: np.ndarray) -> np.ndarray:
    """Splitmix64's finaliser, a bijection of 64-bit words in which each input bit flips each output bit half the time."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(FIRST)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(SECOND)
    return value ^ (value >> np.uint64(31))


def _mix_number(value: int) -> int:
    """The same for one Python number, which NumPy would warn about when it wraps."""
    value &= MASK
    value = (value ^ (value >> 30)) * FIRST & MASK
    value = (value ^ (value >> 27)) * SECOND & MASK
    return value ^ (value >> 31)
