"""Cutting the examples into train, validation and test, so that nothing on one side is known from another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.base.errors import InputError
from leadline.data import twins
from leadline.data.cut import TRAIN, cut
from leadline.data.grouping import by_time, crossing, groups_of, join, named, times_of
from leadline.data.sides import SIDES, Split, read, write
from leadline.record.facts import Guess, Problem

if TYPE_CHECKING:
    from leadline.data.settings import SplitSpec
    from leadline.data.source import Examples

__all__ = ["Split", "read", "split", "verify_disjoint", "write"]

WORDS = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}
FEW = 50  # below so many different rows, each ten times and more on average, equal rows are chance and not copies


@dataclass
class _Cut:
    """The cut in the making. side: (N,) 0 train, 1 val, 2 test, -1 left out; pool: rows to cut; shares: of the pool, per side."""

    examples: Examples
    spec: SplitSpec
    side: np.ndarray
    pool: np.ndarray
    shares: tuple[float, float, float]
    same: np.ndarray | None = None
    groups: np.ndarray | None = None
    how: list[str] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_needed(self) -> bool:
        return sum(self.shares[1:]) > 0


def split(examples: Examples, spec: SplitSpec, *, seed: int, strata: np.ndarray | None) -> Split:
    """Cut the examples into train, validation and test, keeping each group and all twins on one side.

    strata: (N,) labels, or bins of a number, whose shares are kept; None: no shares are kept. The same arguments give the same cut.
    Parts that the data or the column `spec.own` brings stay as they are; a missing validation or test part is cut from the training part.
    Raises InputError: LL016 for a class with too few examples, LL017 for an unknown column, LL022 and LL030 for settings that cannot hold,
    LL027 when a side stays empty or cannot hold every class.
    """
    _check(spec)
    this = _start(examples, spec)
    if spec.by is not None:
        this.groups = groups_of(examples, spec.by, this.problems)
    _find_twins(this)
    _drop_twins(this)
    if this.is_needed:
        _cut_pool(this, strata, seed=seed)
    _drop_twins(this)
    _tell_crossings(this)
    _check_sides(this)
    _check_classes(this, is_strict=spec.stratify and spec.time is None and strata is not None)
    train, val, test = (np.flatnonzero(this.side == code) for code in range(3))
    together = this.same is not None and spec.time is None
    how = "; ".join(this.how)
    return Split(train, val, test, how, examples.content_hashes(), spec.by, together, tuple(this.guesses), tuple(this.problems))


def verify_disjoint(split: Split, examples: Examples) -> dict[str, Any]:
    """Evidence that the validation split is clean, counted anew from the examples and not taken from how the cut was made.

    "clean": no example, no group, and where twins were kept together no equal or near-equal content, stands on two sides.
    "content_shared": contents on both of two sides; "near_twins_across": pairs of like pictures, None where that is not defined.
    """
    sides = split.sides()
    content = examples.content_hashes()
    pairs = [("train", "val"), ("train", "test"), ("val", "test")]
    shared = {f"{a}/{b}": len(np.intersect1d(content[sides[a]], content[sides[b]])) for a, b in pairs}
    disjoint = all(not len(np.intersect1d(sides[a], sides[b])) for a, b in pairs)
    side = split.side_of()
    near = _near_across(examples, side)
    groups_apart = None if split.by is None else not crossing(groups_of(examples, split.by, []), side).any()
    no_twins = not any(shared.values()) and not near
    return {
        "clean": disjoint and groups_apart is not False and (no_twins or not split.together),
        "indices_disjoint": disjoint,
        "content_shared": shared,
        "near_twins_across": near,
        "groups_disjoint": groups_apart,
        "twins_kept_together": split.together,
        "data_unchanged": bool(np.array_equal(content, split.content)),
        "examples": {name: len(rows) for name, rows in sides.items()},
        "hashes": split.hashes(),
    }


def _near_across(examples: Examples, side: np.ndarray) -> int | None:
    if examples.facts.kind != "images":
        return None
    left, right = side[twins.near_twins(examples)].T
    return int(((left != right) & (left >= 0) & (right >= 0)).sum())


def _check(spec: SplitSpec) -> None:
    if spec.val + spec.test >= 1:
        raise InputError(
            "LL022",
            f"data.split.val = {spec.val:g} and data.split.test = {spec.test:g} leave nothing to train on",
            where="data.split",
            help="data.split.val=0.15 data.split.test=0.15",
        )
    if spec.by is not None and spec.time is not None:
        raise InputError(
            "LL030",
            f"data.split.by = {spec.by!r} and data.split.time = {spec.time!r}: groups whole and rows in order of time cannot both hold",
            where="data.split",
            help="leave one of them out",
        )


def _start(examples: Examples, spec: SplitSpec) -> _Cut:
    """What is to be cut: everything, or the training part where sides are given."""
    given = examples.given_split if spec.given else None
    labels = given if spec.own is None else _own(examples, spec.own)
    if labels is None:
        everything = np.arange(len(examples))
        return _Cut(examples, spec, np.zeros(len(examples), np.int8), everything, (1 - spec.val - spec.test, spec.val, spec.test))
    side = np.select([labels == name for name in SIDES], [0, 1, 2]).astype(np.int8)
    pool = np.flatnonzero(side == TRAIN)
    counts = np.bincount(side, minlength=3)
    val, test = (0.0 if count else share for count, share in zip(counts[1:], (spec.val, spec.test), strict=True))
    this = _Cut(examples, spec, side, pool, (1 - val - test, val, test))
    present = " and ".join(f"{count:,} {name}" for name, count in zip(SIDES, counts, strict=True) if count)
    where = "the data's own parts" if spec.own is None else f"column '{spec.own}'"
    this.how.append(f"{where}: {present}")
    if spec.own is None:
        otherwise = "data.series.parts=[TRAIN, VAL, TEST]" if examples.facts.kind == "series" else "data.split.given=false"
        this.guesses.append(Guess("the parts that the data brings stay as they are", present, otherwise))
    for name, share in (("val", val), ("test", test)):
        if share:
            what = f"{name}: {share:.0%} of the training part"
            this.how.append(what)
            this.guesses.append(Guess(what, f"{where} hold no {name}", f"data.split.{name}=SHARE"))
    return this


def _own(examples: Examples, name: str) -> np.ndarray:
    """(N,) of SIDES from the user's column; LL027 names what else stands in it."""
    words = np.char.lower(np.char.strip(np.asarray(examples.column(name)).astype(str)))
    known, codes = np.unique(words, return_inverse=True)
    meant = np.array([WORDS.get(word, word) for word in known.tolist()])
    wrong = ~np.isin(meant, SIDES)
    if wrong.any():
        rows = np.flatnonzero(wrong[codes])
        raise InputError(
            "LL027",
            f"column '{name}' is to say train, val or test, and says {str(known[wrong][0])!r} in {len(rows):,} rows",
            where=f"data.split.own, first at {named(examples, rows)[0]}",
            help="write train, val or test in every row",
        )
    return meant[codes]


def _find_twins(this: _Cut) -> None:
    """Set `this.same` unless twins are not to be, or cannot sensibly be, kept together."""
    spec, examples = this.spec, this.examples
    if not spec.content:
        this.how.append("equal examples may stand on different sides, as you said")
        return
    near = this.is_needed and examples.facts.kind == "images"
    same = twins.groups(examples, near=near)
    distinct = int(same.max()) + 1 if len(same) else 0
    if distinct < FEW and len(same) >= 10 * distinct and "content" not in spec.model_fields_set:
        evidence = f"{len(same):,} rows hold only {distinct} different ones: equality is chance, not copying"
        this.guesses.append(Guess("equal rows may stand on different sides", evidence, "data.split.content=true"))
        return
    this.same = same
    repeated = len(same) - distinct
    if repeated and this.is_needed and spec.time is None:
        this.how.append(f"{'equal and near-equal' if near else 'equal'} examples together ({repeated:,} repeat another)")


def _drop_twins(this: _Cut) -> None:
    """Leave out training rows whose content stands in validation or test, when asked; before the cut so that none is cut from them."""
    if not this.spec.drop_twins:
        return
    content = this.examples.content_hashes()
    rows = np.flatnonzero((this.side == TRAIN) & np.isin(content, content[this.side > TRAIN]))
    if len(rows):
        this.side[rows] = -1
        this.pool = this.pool[this.side[this.pool] >= 0]
        text = "training examples whose equal stands in validation or test, left out as data.split.drop_twins asks"
        this.problems.append(Problem("twins_left_out", "excluded", len(rows), named(this.examples, rows), text))


def _cut_pool(this: _Cut, strata: np.ndarray | None, *, seed: int) -> None:
    spec, pool = this.spec, this.pool
    if spec.time is not None:
        this.side[pool] = by_time(times_of(this.examples, spec.time)[pool], this.shares)
        this.how.append(f"by time ({spec.time}): the oldest train, the newest test")
        return
    if len(pool) < sum(share > 0 for share in this.shares):
        return  # the empty side is told by _check_sides
    same = None if this.same is None else this.same[pool]
    groups = None if this.groups is None else this.groups[pool]
    units, is_chained = join(same, groups, size=len(pool))
    if is_chained:
        evidence = "rows that are equal link the groups to one chain that would fill a side"
        this.guesses.append(Guess(f"groups of {spec.by} stay whole, equal rows of two groups may part", evidence, "data.split.by=null"))
        this.same = None
    codes = np.zeros(len(pool), np.int64) if strata is None or not spec.stratify else _codes(strata)[pool]
    this.side[pool] = cut(units, codes, shares=this.shares, seed=seed)
    kind = "classes" if this.examples.facts.target_kind == "classes" else "target's quantiles"
    words = [f"{kind} in equal shares" if codes.any() else "at random", f"groups of {spec.by} whole" if spec.by else "", f"seed {seed}"]
    this.how.append(", ".join(word for word in words if word))


def _codes(labels: np.ndarray) -> np.ndarray:
    import pandas as pd

    return pd.factorize(labels, sort=True)[0]  # by hashing; sorting a million strings takes seconds


def _tell_crossings(this: _Cut) -> None:
    """Twins or groups on two sides, which only given parts, time or the user's word can bring about."""
    offer = "data.split.drop_twins=true leaves the training ones out" if this.spec.time is None else "the order of time goes first"
    kinds = [("twins_across_split", "equal or near-equal examples stand on two sides, so scores flatter", this.same, offer)]
    kinds.append(("groups_across_split", f"groups of {this.spec.by} stand on two sides", this.groups, "data.split.given=false cuts anew"))
    for kind, what, units, remedy in kinds:
        if units is None:
            continue
        across = crossing(units, this.side)
        count = int((across & (this.side > TRAIN)).sum())
        if count:
            text = f"{what}: {count:,} of validation and test have their like on another side; kept as they are; {remedy}"
            rows = np.flatnonzero(across)
            order = np.lexsort((this.side[rows], units[rows]))
            self_named = named(this.examples, rows[order])
            this.problems.append(Problem(kind, "suspect", count, self_named, text))


def _check_sides(this: _Cut) -> None:
    counts = np.bincount(this.side[this.side >= 0], minlength=3)
    for code, name in enumerate(SIDES):
        if not counts[code] and (code == TRAIN or this.shares[code] > 0):
            raise InputError(
                "LL027",
                f"the {name} side would hold no example: {len(this.pool):,} examples"
                + (f" in {len(np.unique(this.groups[this.pool])):,} groups" if this.groups is not None else "")
                + " cannot be cut so",
                where="data.split",
                help="bring more examples, or  data.split.test=0" if code else "put train in some rows, or  data.split.given=false",
            )


def _check_classes(this: _Cut, *, is_strict: bool) -> None:
    """Each class on each side: where we cut, or InputError; on parts that were given, by time or unstratified, a Problem."""
    examples = this.examples
    if examples.facts.target_kind != "classes" or examples.targets is None:
        return
    import pandas as pd

    codes, classes = pd.factorize(examples.targets, sort=True)
    standing = np.bincount(codes * 4 + this.side + 1, minlength=4 * len(classes)).reshape(-1, 4)[:, 1:]
    used = standing.sum(0) > 0
    missing = (standing == 0) & used & (standing.sum(1, keepdims=True) > 0)
    ours = np.array(this.shares) > 0
    if is_strict and this.is_needed:
        in_pool = np.bincount(codes[this.pool], minlength=len(classes)) > 0
        lost = missing & ours & in_pool[:, None]
        for code in np.flatnonzero(lost.any(1)):
            raise _lost_class(this, str(classes[code]), codes[this.pool] == code, others=int(lost.any(1).sum()) - 1)
    if missing.any():
        where = [f"{classes[code]} ({SIDES[side]})" for code, side in np.argwhere(missing)]
        text = "classes with no example on a side: there they can be neither learnt nor scored"
        this.problems.append(Problem("class_missing", "suspect", len(where), tuple(where[:20]), text))


def _lost_class(this: _Cut, name: str, rows: np.ndarray, *, others: int) -> InputError:
    """The error for a class that cannot stand on every side: LL016 when it is too small, LL027 when groups hold it together."""
    named_sides = [SIDES[code] for code in range(3) if this.shares[code] > 0]
    sides = " and ".join(filter(None, [", ".join(named_sides[:-1]), named_sides[-1]]))
    more = f" (and {others} more classes)" if others else ""
    count, needed = int(rows.sum()), sum(share > 0 for share in this.shares)
    remedy = "bring more examples, merge or remove the class; data.split.stratify=false lets it miss a side"
    if count < needed:
        text = f"class '{name}' has {count} example{'s' * (count > 1)}{more}, and {sides} need one each"
        return InputError("LL016", text, where="data", help=remedy)
    bound = "groups and twins" if this.groups is not None else "twins"
    text = f"class '{name}'{more} has {count:,} examples, but {bound} that stay together leave {sides} without one each"
    return InputError("LL027", text, where="data.split", help=remedy)
