"""What is odd about pictures: twins exact and near, the same picture under two labels, blank and misshapen ones, unequal classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leadline.data.pixels import PackedImages
from leadline.data.source import Examples
from leadline.data.twins import groups, near_twins
from leadline.record.facts import Facts, Problem

SHOWN = 20  # names listed per problem
IMBALANCED = 10  # largest class to smallest
FEW = 3  # a class needs one example each for training, validation and test
LONG = 3  # sides to each other: of a longer strip the square in the middle shows less than a third
TINY = 16  # pixels of the shorter side, where the other pictures are at least twice as large
_ORDER = {"excluded": 0, "suspect": 1, "odd": 2}


def audit_images(examples: Examples) -> tuple[Problem, ...]:
    """Everything odd or suspect about pictures, suspect things first. Pure: the same pictures, the same answer."""
    same = groups(examples, near=False)
    first = np.unique(same, return_index=True)[1][same]
    copies = np.flatnonzero(first != np.arange(len(first)))
    exact = np.stack([first[copies], copies], axis=1)
    found = [
        *_exact(examples, exact),
        *_near(examples, same),
        *_blank(examples),
        *_shapes(examples),
        *_imbalance(examples.facts),
        *_small_classes(examples.facts),
    ]
    return tuple(sorted(found, key=lambda problem: _ORDER[problem.severity]))


def _exact(examples: Examples, pairs: np.ndarray) -> Iterator[Problem]:
    """Pairs (M, 2) of the first picture and each copy of it."""
    if len(pairs):
        text = f"{len(pairs):,} pictures repeat an earlier one pixel by pixel"
        yield Problem("duplicate_images", "odd", len(pairs), _named(examples, pairs, "="), text)
    other = pairs[_labels_differ(examples, pairs)]
    if len(other):
        text = f"{len(other):,} pictures equal another pixel by pixel and carry another label; no model can be right on both"
        yield Problem("conflicting_labels", "suspect", len(other), _named(examples, other, "="), text)
    across = _across(examples, pairs)
    if len(across):
        remedy = "data.split.drop_twins=true leaves them out of training"
        text = f"{len(across):,} pictures stand on two sides of the given split, so scores flatter; {remedy}"
        yield Problem("twins_across_split", "suspect", len(across), _named(examples, across, "="), text)


def _near(examples: Examples, same: np.ndarray) -> Iterator[Problem]:
    if examples.near_hashes() is None:
        text = "near twins were not examined: the pictures are too many to decode all at once; exact twins were, by their files' bytes"
        yield Problem("near_twins_not_examined", "odd", len(examples), (), text)
        return
    pairs = near_twins(examples)
    if not len(pairs):
        return
    text = f"{len(pairs):,} pairs of pictures look the same but for size, brightness or compression"
    yield Problem("near_duplicate_images", "odd", len(pairs), _named(examples, pairs, "~"), text)
    other = pairs[_labels_differ(examples, pairs)]
    if len(other):
        text = f"{len(other):,} pairs of pictures look the same and carry different labels"
        yield Problem("near_twins_conflicting_labels", "suspect", len(other), _named(examples, other, "~"), text)
    across = _across(examples, _with_copies(pairs, same))
    if len(across):
        text = f"{len(across):,} pairs of pictures that look the same stand on two sides of the given split, so scores may flatter"
        yield Problem("near_twins_across_split", "suspect", len(across), _named(examples, across, "~"), text)


def _with_copies(pairs: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The pairs again for every exact copy of their pictures."""
    members: dict[int, list[int]] = {int(code): [] for code in np.unique(same[pairs])}
    for index in np.flatnonzero(np.isin(same, list(members))):
        members[int(same[index])].append(int(index))
    every = [(a, b) for left, right in pairs for a in members[int(same[left])] for b in members[int(same[right])]]
    return np.array(sorted((min(pair), max(pair)) for pair in every), np.int64).reshape(-1, 2)


def _across(examples: Examples, pairs: np.ndarray) -> np.ndarray:
    """The pairs whose pictures stand on different sides of the given split."""
    sides = examples.given_split
    return pairs[:0] if sides is None else pairs[sides[pairs[:, 0]] != sides[pairs[:, 1]]]


def _labels_differ(examples: Examples, pairs: np.ndarray) -> np.ndarray:
    labels = examples.targets
    return np.zeros(len(pairs), bool) if labels is None else np.asarray(labels[pairs[:, 0]] != labels[pairs[:, 1]])


def _named(examples: Examples, pairs: np.ndarray, sign: str) -> tuple[str, ...]:
    """The first pairs in words, with their labels where these differ."""
    differ = _labels_differ(examples, pairs[:SHOWN])
    return tuple(
        f"{_called(examples, left, with_label=bool(apart))} {sign} {_called(examples, right, with_label=bool(apart))}"
        for (left, right), apart in zip(pairs[:SHOWN].tolist(), differ, strict=True)
    )


def _called(examples: Examples, index: int, *, with_label: bool) -> str:
    name = str(examples.names[index])
    return f"{name} ({examples.targets[index]})" if with_label and examples.targets is not None else name


def _blank(examples: Examples) -> Iterator[Problem]:
    """Pictures of one colour. Their perceptual hash is 0, so that only few need be fetched."""
    hashes = examples.near_hashes()
    suspects = np.zeros(0, np.int64) if hashes is None else np.flatnonzero(hashes == 0)
    blank = [int(i) for i in suspects if _is_constant(examples.fetch(np.array([i]))[0])]
    if blank:
        names = tuple(str(examples.names[i]) for i in blank[:SHOWN])
        yield Problem("blank_images", "suspect", len(blank), names, f"{len(blank):,} pictures are of one colour throughout")


def _is_constant(picture: np.ndarray) -> bool:
    return bool((picture == picture[:1, :1]).all())


def _shapes(examples: Examples) -> Iterator[Problem]:
    if not isinstance(examples, PackedImages):
        return
    sizes = examples.scan.sizes
    short, long = sizes.min(1), sizes.max(1)
    strips = np.flatnonzero(long > LONG * short)
    tiny = np.flatnonzero((short < TINY) & (np.median(short) >= 2 * TINY))
    said = (
        ("long_images", strips, f"pictures are more than {LONG} times as long as wide; only their middle is seen"),
        ("tiny_images", tiny, f"pictures have a side under {TINY} pixels, far smaller than the others"),
    )
    for kind, places, text in said:
        if len(places):
            items = tuple(f"{examples.names[i]} ({sizes[i, 0]} x {sizes[i, 1]})" for i in places[:SHOWN])
            yield Problem(kind, "odd", len(places), items, f"{len(places):,} {text}")


def _imbalance(facts: Facts) -> Iterator[Problem]:
    counts = dict(zip(facts.classes, facts.class_counts, strict=True))
    if len(counts) < 2:
        return
    large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[large] > IMBALANCED * counts[small]:
        ratio = counts[large] / max(1, counts[small])
        items = tuple(f"{name}: {count}" for name, count in sorted(counts.items(), key=lambda pair: pair[1]))
        remedy = "accuracy would hide the small class (train.class_weights=balanced)"
        text = f"'{large}' has {ratio:,.0f} times the pictures of '{small}'; {remedy}"
        yield Problem("imbalance", "odd", sum(count * IMBALANCED < counts[large] for count in counts.values()), items[:SHOWN], text)


def _small_classes(facts: Facts) -> Iterator[Problem]:
    small = [f"{name}: {count}" for name, count in zip(facts.classes, facts.class_counts, strict=True) if count < FEW]
    if small:
        text = f"{len(small)} classes have fewer than {FEW} pictures, too few for one each in training, validation and test"
        yield Problem("small_classes", "suspect", len(small), tuple(small[:SHOWN]), text)
