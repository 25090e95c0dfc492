"""From labelled pictures to examples: every one scanned, and all that is left out named and counted."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from leadline.base.errors import InputError
from leadline.data.packed import Packed
from leadline.data.pixels import PackedImages
from leadline.data.scan import Scan, scan
from leadline.data.settings import DataSpec
from leadline.record.facts import Facts, Guess, ImageSizes, Problem

SHOWN = 20  # names listed per problem


@dataclass(frozen=True)
class Labelled:
    """Pictures that have a label, in step with `names`, and what was found about others on the way.

    sides: train, val or test of each, or None. target: what the label is called. columns: further columns (N,).
    excluded: (name, reason) of pictures left out already.
    """

    packed: Packed
    names: Sequence[str]
    labels: Sequence[str]
    sides: Sequence[str] | None
    target: str
    classes: Sequence[str] = ()
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    excluded: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    guesses: tuple[Guess, ...] = ()


def open_labelled(name: str, labelled: Labelled, spec: DataSpec) -> PackedImages:
    """Scan the pictures and put the examples together.

    Raises InputError LL002 when none can be used, LL003 when too many cannot, LL015 for one class, LL027 when training lacks a class.
    """
    found = scan(labelled.packed)
    excluded = sorted([*labelled.excluded, *found.excluded])
    _refuse_too_many(name, excluded, usable=len(found.kept), spec=spec)
    return _examples(name, labelled, found, excluded)


def _refuse_too_many(where: str, excluded: Sequence[tuple[str, str]], *, usable: int, spec: DataSpec) -> None:
    if not usable:
        name, reason = excluded[0]
        raise InputError(
            "LL002", f"none of the {len(excluded):,} pictures in {where} can be used: {name} {reason}", where=where, help="repair the files"
        )
    share = len(excluded) / (usable + len(excluded))
    if share <= spec.max_excluded:
        return
    listed = "; ".join(f"{name} {reason}" for name, reason in excluded[:3])
    more = f"; and {len(excluded) - 3:,} more" if len(excluded) > 3 else ""
    allow = math.ceil(share * 10_000) / 10_000
    raise InputError(
        "LL003",
        f"{len(excluded):,} of {usable + len(excluded):,} pictures cannot be used, {spec.max_excluded:.1%} may be: {listed}{more}",
        where=where,
        help=f"repair or remove them, or leave them out with  data.max_excluded={allow:g}",
    )


def _examples(where: str, labelled: Labelled, found: Scan, excluded: list[tuple[str, str]]) -> PackedImages:
    pick = found.kept
    targets = np.array(labelled.labels)[pick]
    sides = np.array(labelled.sides)[pick] if labelled.sides is not None else None
    names = [str(labelled.names[i]) for i in pick]
    counts = Counter(targets.tolist())
    if len(counts) < 2:
        raise InputError(
            "LL015",
            f"all {len(targets):,} pictures in {where} carry the one label '{targets[0]}'",
            where=where,
            help="add pictures of at least one other class, in a folder of its own",
        )
    classes = tuple(labelled.classes or sorted(counts))
    problems = (*_left_out(excluded), *labelled.problems, *_missing_classes(targets, sides, where), *_odd_files(found, names))
    facts = Facts(
        kind="images",
        name=where,
        num_examples=len(names),
        target=labelled.target,
        target_kind="classes",
        classes=classes,
        class_counts=tuple(counts[name] for name in classes),
        images=image_sizes(found.sizes, found.modes),
        given_split=count_sides(sides),
        problems=problems,
        guesses=labelled.guesses,
    )
    columns = {name: values[pick] for name, values in labelled.columns.items()}
    return PackedImages(facts, names, targets, sides, labelled.packed, found, columns, tuple(excluded))


def count_sides(sides: np.ndarray | None) -> dict[str, int]:
    """How many examples (N,) stand on each side that there is."""
    counts = {} if sides is None else Counter(sides.tolist())
    return {side: counts[side] for side in ("train", "val", "test") if counts.get(side)}


def image_sizes(sizes: np.ndarray, modes: dict[str, int]) -> ImageSizes:
    """Smallest, median and largest of widths and heights (N, 2)."""
    low, middle, high = sizes.min(0), np.percentile(sizes, 50, axis=0, method="lower"), sizes.max(0)
    width, height = ((int(low[axis]), int(middle[axis]), int(high[axis])) for axis in (0, 1))
    return ImageSizes(width, height, modes)


def problem(kind: str, severity: Literal["excluded", "suspect", "odd"], names: Iterable[str], explanation: str) -> Problem:
    """A Problem that counts all names and lists the first."""
    listed = list(names)
    return Problem(kind, severity, len(listed), tuple(listed[:SHOWN]), explanation)


def _left_out(excluded: Sequence[tuple[str, str]]) -> list[Problem]:
    """One problem per reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in excluded:
        by_reason[reason].append(name)
    return [problem("unusable_pictures", "excluded", names, f"left out: each {reason}") for reason, names in sorted(by_reason.items())]


def _missing_classes(targets: np.ndarray, sides: np.ndarray | None, where: str) -> list[Problem]:
    """Say which class a side lacks; raises InputError LL027 for a class that the training side lacks: it could never be learnt."""
    if sides is None:
        return []
    here = {side: set(targets[sides == side].tolist()) for side in ("train", "val", "test") if (sides == side).any()}
    every = set(targets.tolist())
    strange = sorted(every - here.get("train", set()))
    if strange:
        raise InputError(
            "LL027",
            f"{where} has no training pictures of {', '.join(strange[:5])}, which other sides hold",
            where=where,
            help="give every side the same class folders",
        )
    return [
        problem(
            "class_missing_in_split",
            "suspect",
            sorted(every - held),
            f"classes of which the {side} folder holds no picture: no score for them",
        )
        for side, held in here.items()
        if every - held
    ]


_ODD = {
    "CMYK": "stored in printing colours; converted to RGB",
    "16-bit": "stored with 16 bits per value; scaled to 8",
    "transparent": "with transparency; laid over white",
    "animated": "with several frames; the first is used",
    "rotated by EXIF": "stored rotated; turned upright as their EXIF data say",
}


def _odd_files(found: Scan, names: Sequence[str]) -> list[Problem]:
    return [
        problem(
            f"{kind.lower().replace(' ', '_').replace('-', '_')}_pictures", "odd", [names[int(i)] for i in places], f"pictures {_ODD[kind]}"
        )
        for kind, places in found.oddities.items()
    ]
