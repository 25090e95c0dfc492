"""What is odd about sounds beyond each file: copies, the same sound under two labels or on two sides, unequal and small classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leadline.data.source import Examples
from leadline.data.twins import groups
from leadline.record.facts import Facts, Problem

SHOWN = 20  # names listed per problem
IMBALANCED = 10  # largest class to smallest
FEW = 3  # a class needs one example each for training, validation and test
_ORDER = {"excluded": 0, "suspect": 1, "odd": 2}


def audit_sounds(examples: Examples) -> tuple[Problem, ...]:
    """Everything odd or suspect about a set of sounds, suspect things first. Pure: the same sounds, the same answer."""
    found = [*_copies(examples), *_classes(examples.facts)]
    return tuple(sorted(found, key=lambda problem: _ORDER[problem.severity]))


def _copies(examples: Examples) -> Iterator[Problem]:
    same = groups(examples, near=False)
    first = np.unique(same, return_index=True)[1][same]
    copies = np.flatnonzero(first != np.arange(len(first)))
    pairs = np.stack([first[copies], copies], axis=1)
    labels, sides = examples.targets, examples.given_split
    kinds = [("duplicate_sounds", "odd", pairs, "repeat an earlier one sample by sample")]
    if labels is not None:
        text = "equal another sample by sample and carry another label; no model can be right on both"
        kinds.append(("conflicting_labels", "suspect", pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]], text))
    if sides is not None:
        text = "stand on two sides of the given split, so scores flatter; data.split.drop_twins=true leaves them out of training"
        kinds.append(("twins_across_split", "suspect", pairs[sides[pairs[:, 0]] != sides[pairs[:, 1]]], text))
    for kind, severity, found, text in kinds:
        if len(found):
            items = tuple(f"{examples.names[a]} = {examples.names[b]}" for a, b in found[:SHOWN].tolist())
            yield Problem(kind, "suspect" if severity == "suspect" else "odd", len(found), items, f"{len(found):,} sounds {text}")


def _classes(facts: Facts) -> Iterator[Problem]:
    counts = dict(zip(facts.classes, facts.class_counts, strict=True))
    if len(counts) < 2:
        return
    large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[large] > IMBALANCED * counts[small]:
        items = tuple(f"{name}: {count}" for name, count in sorted(counts.items(), key=lambda pair: pair[1]))
        ratio = counts[large] / max(1, counts[small])
        text = (
            f"'{large}' has {ratio:,.0f} times the sounds of '{small}'; accuracy would hide the small class (train.class_weights=balanced)"
        )
        yield Problem("imbalance", "odd", sum(count * IMBALANCED < counts[large] for count in counts.values()), items[:SHOWN], text)
    few = [f"{name}: {count}" for name, count in counts.items() if count < FEW]
    if few:
        text = f"{len(few)} classes have fewer than {FEW} sounds, too few for one each in training, validation and test"
        yield Problem("small_classes", "suspect", len(few), tuple(few[:SHOWN]), text)
