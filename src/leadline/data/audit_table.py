"""What is odd about a table: repeated rows, columns that give the answer away, classes of very unequal size, columns that say nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from leadline.data.leaks import leaking_columns
from leadline.data.row_names import counted
from leadline.data.source import Examples
from leadline.record.facts import Column, Facts, Problem

SHOWN = 20
MOSTLY_MISSING = 0.5
IMBALANCED = 10  # largest class to smallest
ORDER = {"excluded": 0, "suspect": 1, "odd": 2}


def audit_table(examples: Examples, *, seed: int = 0) -> tuple[Problem, ...]:
    """Everything odd or suspect about a table's examples, suspect things first. Pure: the same table and seed, the same answer."""
    facts = examples.facts
    found = [*repeats(examples), *leaking_columns(examples, seed=seed), *imbalance(facts), *_missing(facts), *_silent_columns(facts)]
    return tuple(sorted(found, key=lambda problem: ORDER[problem.severity]))


def repeats(examples: Examples) -> Iterable[Problem]:
    """Rows that repeat an earlier one, rows equal but for the target, and rows that stand on two sides of a given split."""
    content = examples.content_hashes()
    groups = pd.factorize(content)[0]
    sizes = np.bincount(groups)
    if sizes.max(initial=0) < 2:
        return
    targets = np.zeros(len(content), dtype=np.int64) if examples.targets is None else pd.factorize(examples.targets)[0]
    pairs = pd.factorize(groups.astype(np.int64) * (int(targets.max()) + 1) + targets)[0]
    repeats = _later(pairs)
    if repeats.any():
        text = f"{counted(int(repeats.sum()), 'row')} equal to an earlier row in every column that is used, and in the target"
        yield Problem("duplicate_rows", "odd", int(repeats.sum()), _names(examples, repeats), text)
    if examples.facts.target_kind == "classes":
        yield from _conflicts(examples, groups, pairs=pairs)
    if examples.given_split is not None:
        yield from _across(examples, groups)


def _conflicts(examples: Examples, groups: np.ndarray, *, pairs: np.ndarray) -> Iterable[Problem]:
    labels_of_group = np.bincount(groups[~_later(pairs)], minlength=int(groups.max()) + 1)
    conflicting = labels_of_group[groups] > 1
    if not conflicting.any():
        return
    rows_of_pair = np.bincount(pairs)
    most = np.zeros(len(labels_of_group), dtype=np.int64)
    np.maximum.at(most, groups[conflicting], rows_of_pair[pairs[conflicting]])
    wrong = int(conflicting.sum() - most.sum())
    best = 1 - wrong / len(groups)
    order = np.argsort(groups[conflicting], kind="stable")
    items = tuple(_named(examples, place) for place in np.flatnonzero(conflicting)[order][:SHOWN])
    text = (
        f"{conflicting.sum():,} rows equal to another in every used column, but not in the label; "
        f"no model can be right in more than {best:.2%}"
    )
    yield Problem("conflicting_labels", "odd", int(conflicting.sum()), items, text)


def _across(examples: Examples, groups: np.ndarray) -> Iterable[Problem]:
    assert examples.given_split is not None
    training = np.zeros(int(groups.max()) + 1, dtype=bool)
    training[groups[examples.given_split == "train"]] = True
    twins = training[groups] & (examples.given_split != "train")
    if twins.any():
        text = f"{counted(int(twins.sum()), 'row')} of validation or test equal to a training row in every used column, so scores flatter"
        yield Problem("twins_across_split", "suspect", int(twins.sum()), _names(examples, twins), text)


def imbalance(facts: Facts) -> Iterable[Problem]:
    """Classes of very unequal size."""
    if len(facts.class_counts) < 2:
        return
    counts = dict(zip(facts.classes, facts.class_counts, strict=True))
    large, small = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    ratio = counts[large] / max(1, counts[small])
    if ratio > IMBALANCED:
        items = tuple(f"{name}: {count}" for name, count in sorted(counts.items(), key=lambda pair: pair[1]))
        text = f"'{large}' has {ratio:,.0f} times the rows of '{small}'; accuracy would hide the small class (train.class_weights=balanced)"
        yield Problem("imbalance", "odd", sum(count * IMBALANCED < counts[large] for count in counts.values()), items[:SHOWN], text)


def _missing(facts: Facts) -> Iterable[Problem]:
    sparse = [column for column in facts.columns if column.kind != "empty" and column.missing > MOSTLY_MISSING * facts.num_examples]
    if sparse:
        items = tuple(f"{column.name}: {column.missing / facts.num_examples:.0%} missing" for column in sparse)
        yield Problem(
            "mostly_missing", "odd", len(sparse), items[:SHOWN], f"{counted(len(sparse), 'column')} empty in more than half of the rows"
        )


def _silent_columns(facts: Facts) -> Iterable[Problem]:
    """Columns that are not what a model learns from, or not as they stand."""
    what = {
        "constant": "with the same value in every row: not used",
        "empty": "with no value in any row: not used",
        "id": "of names of rows, from which nothing general can be learnt: not used",
        "text": "of free text, which this task does not read",
        "date": "of dates: used as year, month, weekday, hour and days passed",
    }
    for kind, text in what.items():
        columns: Sequence[Column] = [column for column in facts.columns if column.kind == kind]
        if columns:
            items = tuple(f"{column.name}: {column.reason}" for column in columns)
            yield Problem(f"{kind}_columns", "odd", len(columns), items[:SHOWN], f"{counted(len(columns), 'column')} {text}")


def _later(codes: np.ndarray) -> np.ndarray:
    """(N,) bool: the code stood before."""
    return pd.Series(codes).duplicated().to_numpy()


def _names(examples: Examples, mask: np.ndarray) -> tuple[str, ...]:
    return tuple(_named(examples, place) for place in np.flatnonzero(mask)[:SHOWN])


def _named(examples: Examples, place: int) -> str:
    return f"row {examples.names[int(place)]}"
