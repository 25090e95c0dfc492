"""Sets that come as arrays of equal-sized pictures, one array per side, put together as examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leadline.base.errors import InputError
from leadline.data.labelled_pictures import count_sides
from leadline.data.pixels import ArrayImages
from leadline.record.facts import Facts, Guess, ImageSizes


@dataclass(frozen=True)
class Side:
    """Pictures (n, H, W, 1 or 3) uint8 and their labels (n,) str. side: train, val, test or None; title: what its examples are named by."""

    title: str
    side: str | None
    pixels: np.ndarray
    labels: np.ndarray


def open_arrays(
    name: str, sides: Sequence[Side], *, where: str, classes: Sequence[str] = (), guesses: tuple[Guess, ...] = ()
) -> ArrayImages:
    """The examples of all sides in one array; the given split when a training side stands beside another.

    classes: all labels in their order; by default those found, numbers by value. Raises InputError LL002 for an empty set, LL015 for one
    class, LL030 for sides of different picture shapes.
    """
    shapes = {side.pixels.shape[1:] for side in sides}
    if len(shapes) > 1:
        raise InputError("LL030", f"the sides of {name} hold pictures of different shapes: {sorted(shapes)}", where=where)
    total = sum(len(side.labels) for side in sides)
    if not total:
        raise InputError("LL002", f"{name} holds no pictures", where=where)
    targets = np.concatenate([side.labels for side in sides])
    counts = Counter(targets.tolist())
    classes = classes or sorted(counts, key=lambda label: (len(label), label) if label.isdigit() else (0, label))
    if len(counts) < 2:
        raise InputError(
            "LL015", f"all {total:,} pictures in {name} carry the one label '{targets[0]}'", where=where, help="add another class"
        )
    pixels = sides[0].pixels if len(sides) == 1 else np.concatenate([side.pixels for side in sides])
    given = _given(sides)
    height, width = pixels.shape[1:3]
    facts = Facts(
        kind="images",
        name=name,
        num_examples=total,
        target="label",
        target_kind="classes",
        classes=tuple(classes),
        class_counts=tuple(counts[label] for label in classes),
        images=ImageSizes((width,) * 3, (height,) * 3, {"L" if pixels.shape[-1] == 1 else "RGB": total}),
        given_split=count_sides(given),
        guesses=guesses,
    )
    names = [f"{side.title} {row}" for side in sides for row in range(1, len(side.labels) + 1)]
    return ArrayImages(facts, names, targets, given, pixels)


def _given(sides: Sequence[Side]) -> np.ndarray | None:
    """(N,) sides, when all are known and the training one is not alone."""
    known = {side.side for side in sides}
    if None in known or "train" not in known or len(known) < 2:
        return None
    return np.concatenate([np.full(len(side.labels), str(side.side)) for side in sides])
