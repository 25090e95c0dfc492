"""The target of a table: which column it is, whether it holds labels or numbers, and labels spelt in two ways."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.data import cells
from leadline.data.cells import pc
from leadline.data.columns import MOSTLY, Look, decide, look_at, no_such_column
from leadline.data.settings import DataSpec
from leadline.data.tally import Tally
from leadline.record.facts import Guess, Problem

# In the order of trust: words that people give to the column to predict.
NAMES = (
    "target", "label", "labels", "class", "y", "outcome", "diagnosis", "species", "variety", "survived", "income", "median_house_value",
    "medv", "saleprice", "sale_price", "price", "churn", "default", "fraud", "is_fraud", "is_spam", "spam", "sentiment", "category",
    "quality", "rating", "result", "response", "charges",
)  # fmt: skip
MOST_CLASSES = 20  # whole numbers with more distinct values are amounts


@dataclass(frozen=True)
class Target:
    """The column to predict, and as what. decimal: "," where a comma parts the fraction."""

    name: str
    kind: str
    decimal: str | None
    guesses: tuple[Guess, ...]


def choose_target(tallies: list[Tally], spec: DataSpec, *, where: str) -> Target | None:
    """The target the user named, or the one the table suggests; None when no column looks like one.

    Raises InputError LL017 (no such column) or LL019 (no value).
    """
    by_name = {tally.name: tally for tally in tallies}
    if spec.target is not None:
        name, guesses = named_column(spec.target, list(by_name), where=where), ()
    else:
        candidates = [tally for tally in tallies if tally.name not in (*spec.ignore, spec.split.by, spec.split.own, spec.split.time)]
        found = _suggested(candidates, spec)
        if found is None:
            return None
        name, guesses = found[0], (Guess(f"target '{found[0]}'", found[1], "target=NAME"),)
    seen = look_at(by_name[name])
    if not seen.tally.present:
        raise InputError("LL019", f"the target '{name}' holds no value in any row", where=where, help="name another with target=COLUMN")
    kind, guess = _kind(seen, spec)
    return Target(name, kind, seen.decimal, (*guesses, *guess))


def named_column(target: str | int, columns: list[str], *, where: str) -> str:
    """The column meant by a name, or by a number counted from 0 (from the end when negative); LL017 with the nearest name."""
    if str(target) in columns:
        return str(target)
    if re.fullmatch(r"-?[0-9]+", str(target)) and -len(columns) <= int(target) < len(columns):
        return columns[int(target)]
    raise no_such_column(target, columns, key="target", where=where)


def _suggested(tallies: list[Tally], spec: DataSpec) -> tuple[str, str] | None:
    """(name, evidence) of the column that looks like the target."""
    lowered = {tally.name.strip().lower().replace(" ", "_"): tally for tally in reversed(tallies)}
    for word in NAMES:
        if word in lowered and lowered[word].present:
            return lowered[word].name, f"a column is called {lowered[word].name}"
    last = tallies[-1] if tallies else None
    if last is not None and _could_be_target(last, spec):
        return last.name, f"it is the last column and holds {decide(last, spec).kind} values"
    first = tallies[0] if len(tallies) > 1 else None
    if first is not None and decide(first, spec).used and _few_classes(look_at(first)):
        return first.name, f"it is the first column and holds {first.distinct} distinct values, and the last column is no target"
    return None


def _could_be_target(tally: Tally, spec: DataSpec) -> bool:
    return decide(tally, spec).kind in ("number", "category")


def _few_classes(seen: Look) -> bool:
    tally = seen.tally
    return 2 <= tally.distinct <= MOST_CLASSES and tally.distinct <= max(2, tally.present / 5)


def _kind(seen: Look, spec: DataSpec) -> tuple[str, tuple[Guess, ...]]:
    tally = seen.tally
    override = "data.target_kind=numbers or data.target_kind=classes"
    if spec.target_kind == "classes":
        return "classes", ()
    if spec.target_kind == "numbers" or (seen.number_share >= MOSTLY and not seen.is_code and not _reads_as_classes(seen)):
        why = f"'{tally.name}' holds numbers with {'more than ' if tally.overflowed else ''}{tally.distinct} distinct values"
        return "numbers", () if spec.target_kind else (Guess("target holds numbers", why, override),)
    what = f"whole numbers with {tally.distinct} distinct values" if seen.number_share == 1 else "text"
    return "classes", (Guess("target holds classes", f"'{tally.name}' holds {what}", override),)


def _reads_as_classes(seen: Look) -> bool:
    """Two values, or few whole numbers that repeat, are labels."""
    return seen.number_share == 1 and (seen.tally.distinct == 2 or (seen.is_whole and _few_classes(seen)))


def one_spelling(labels: np.ndarray, sides: np.ndarray | None) -> tuple[dict[str, str], Problem | None]:
    """How labels of the other sides are to be respelt as in training, when they differ only in punctuation or spaces at the end.

    labels: (N,) text; sides: (N,) "train"/"val"/"test". Nothing is changed when two labels of one side would become one.
    """
    if sides is None:
        return {}, None
    on_side = {side: set(np.unique(labels[sides == side]).tolist()) for side in np.unique(sides).tolist()}
    plain = {side: {_bare(label): label for label in found} for side, found in on_side.items()}
    train = plain.get("train", {})
    if not train or any(len(plain[side]) != len(on_side[side]) for side in on_side):
        return {}, None
    change = {label: train[bare] for side, found in plain.items() for bare, label in found.items() if side != "train" and bare in train}
    change = {label: right for label, right in change.items() if label != right and label not in on_side["train"]}
    if not change:
        return {}, None
    count = int(np.isin(labels, list(change)).sum())
    items = tuple(f"{label!r} -> {right!r}" for label, right in sorted(change.items()))
    text = f"{count} labels outside the training file are spelt differently only at their end; they were read as in training"
    return change, Problem("label_spelling", "odd", len(items), items[:20], text)


def _bare(label: str) -> str:
    return label.rstrip(" .,;:!\t")


def class_labels(array: pa.Array, decimal: str | None) -> np.ndarray:
    """(N,) labels as text without missing ones; numbers by one spelling, so that 1, 1.0 and "1" are one class."""
    if pa.types.is_string(array.type):
        numbers = cells.numbers(array, decimal)
        codes = pc.any(pc.match_substring_regex(array, cells.CODE)).as_py()
        if numbers.null_count == 0 and not codes:
            array = numbers
    return np.asarray(cells.labels(array).to_pylist(), dtype=np.str_)
