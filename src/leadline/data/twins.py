"""Which examples are the same: exact twins by content hash, near twins by perceptual hash and then by looking at the thumbnails."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from leadline.data.perceptual import coarse, contrast, likeness

if TYPE_CHECKING:
    from leadline.data.source import Examples

FAR = 7
"""Near twins differ in at most so many of 64 bits. Eight bytes: with 7 bits changed at least one byte is untouched, so none is missed."""
# Whole and detail correlation that a pair must reach. Measured on real sets: re-saved as JPEG 75, 25 % larger or 15 % brighter, 95 % of
# copies of 28-pixel pictures pass the strict bounds; of photos practically all do. True doubles in CIFAR-10 begin at the mild ones.
STRICT = (0.993, 0.95)
MILD = (0.95, 0.80)
_BLANK = 3.0  # grey levels of contrast: below it the hash is noise
_BLOCK = 512  # 512 by 4096 hashes are 16 MB of differences
_PAIRS = 8192  # pairs of thumbnails compared at once: 64 MB as float32


def groups(examples: Examples, *, near: bool) -> np.ndarray:
    """(N,) int64 group ids 0..G-1 in order of appearance: examples of equal content share one; with `near`, near twins too."""
    first = _first_of_content(examples)
    if near:
        first = _join(first, near_twins(examples))
    return _numbered(first)


@lru_cache(maxsize=1)  # look, split and preflight ask in turn about the same examples, and 70,000 pictures take seconds
def near_twins(examples: Examples) -> np.ndarray:
    """(M, 2) int64 pairs of examples that look alike but differ in content, ascending; (0, 2) where near twins are not defined.

    Of examples with equal content only the first one stands in a pair. Blank pictures have no near twins.
    """
    hashes = examples.near_hashes()
    if hashes is None:
        return np.zeros((0, 2), np.int64)
    distinct = np.unique(_first_of_content(examples))
    candidates = distinct[np.concatenate([*_candidates(hashes[distinct]), np.zeros((0, 2), np.int64)])]
    return _confirmed(examples, candidates)


def _first_of_content(examples: Examples) -> np.ndarray:
    """(N,) for each example the first one of equal content."""
    _, first, code = np.unique(examples.content_hashes(), return_index=True, return_inverse=True)
    return first[code].astype(np.int64)


def _numbered(first: np.ndarray) -> np.ndarray:
    """Group ids from representatives, numbered by first appearance."""
    _, seen, code = np.unique(first, return_index=True, return_inverse=True)
    rank = np.empty(len(seen), np.int64)
    rank[np.argsort(seen)] = np.arange(len(seen))
    return rank[code]


def _join(first: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Union-find: representatives after the groups of each pair are made one."""
    parent = first.copy()

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = int(parent[item])
        return item

    for left, right in pairs:
        low, high = sorted((root(int(left)), root(int(right))))
        parent[high] = low
    return np.array([root(item) for item in range(len(parent))], np.int64)


def _candidates(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs (m, 2), left below right, whose hashes differ in at most FAR bits, each pair once.

    Pairs are looked for among hashes with an equal byte; where the pictures are so alike that this saves nothing, among all.
    """
    everything = np.arange(len(hashes))
    buckets = [_buckets((hashes >> np.uint64(8 * byte)).astype(np.uint8)) for byte in range(8)]
    if sum(len(bucket) ** 2 for bands in buckets for bucket in bands) >= len(hashes) ** 2:
        yield from _close(hashes, everything)
        return
    for byte, bands in enumerate(buckets):
        earlier = np.uint64((1 << 8 * byte) - 1)
        for bucket in bands:
            for pairs in _close(hashes, bucket):
                yield pairs[~_shares_byte(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]], earlier)]


def _buckets(keys: np.ndarray) -> list[np.ndarray]:
    """Indices of each key that occurs more than once."""
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return [bucket for bucket in np.split(order, cuts) if len(bucket) > 1]


def _shares_byte(difference: np.ndarray, mask: np.uint64) -> np.ndarray:
    """Whether any of the bytes under `mask` is zero: the pair was met already in the bucket of that byte."""
    found = np.zeros(len(difference), bool)
    for byte in range(8):
        if int(mask) >> 8 * byte & 1:
            found |= (difference >> np.uint64(8 * byte)).astype(np.uint8) == 0
    return found


def _close(hashes: np.ndarray, among: np.ndarray) -> Iterator[np.ndarray]:
    """All close pairs among some ascending indices, block by block."""
    chosen = hashes[among]
    for row in range(0, len(chosen), _BLOCK):
        rows = chosen[row : row + _BLOCK, None]
        for column in range(row, len(chosen), 8 * _BLOCK):
            apart = np.bitwise_count(rows ^ chosen[None, column : column + 8 * _BLOCK])
            left, right = np.nonzero(apart <= FAR)
            left, right = left + row, right + column
            once = left < right
            yield np.stack([among[left[once]], among[right[once]]], axis=1)


def _confirmed(examples: Examples, pairs: np.ndarray) -> np.ndarray:
    """The pairs whose thumbnails agree, by the mild bounds, or by the strict ones in a set whose pictures are much alike anyway.

    A set of silhouettes or digits brings many chance neighbours, and then only a near-identical pair means anything.
    """
    if not len(pairs):
        return pairs
    used, code = np.unique(pairs, return_inverse=True)
    thumbs = examples.thumbnails(used)
    code = code.reshape(pairs.shape)
    code = code[(contrast(thumbs) >= _BLANK)[code].all(1)]
    limit = max(20, len(examples) // 50)
    looks = _coarse_agreement(thumbs, code)
    by_chance = int((looks < MILD[0]).sum())
    code = code[looks >= (STRICT[0] - 0.003 if by_chance > limit else MILD[0])]  # what is lost in the coarse look is below 0.003
    whole, detail = _likeness(thumbs, code)
    strict = (whole >= STRICT[0]) & (detail >= STRICT[1])
    is_crowded = by_chance + int((~strict).sum()) > limit
    found = used[code[strict if is_crowded else (whole >= MILD[0]) & (detail >= MILD[1])]]
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _coarse_agreement(thumbs: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(M,) correlation of 8 by 8 reductions: cheap, and sorts out most chance neighbours."""
    looks = coarse(thumbs)
    blocks = np.array_split(pairs, len(pairs) // _PAIRS + 1)
    return np.concatenate([np.einsum("nd,nd->n", looks[block[:, 0]], looks[block[:, 1]]) for block in blocks])


def _likeness(thumbs: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole and detail correlation (M,) of each pair."""
    blocks = np.array_split(pairs, len(pairs) // _PAIRS + 1)
    both = [likeness(thumbs[block[:, 0]], thumbs[block[:, 1]]) for block in blocks]
    return np.concatenate([whole for whole, _ in both]), np.concatenate([detail for _, detail in both])
