"""The `data` block of a recipe, and the changes of training images that `train.augment` names."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from leadline.base.spec import Spec


class SplitSpec(Spec):
    """How examples are cut into train, validation and test."""

    val: float = Field(default=0.15, ge=0, lt=1)
    """Share of the examples for validation, 0 to 1; used when the data has no validation part of its own."""
    test: float = Field(default=0.15, ge=0, lt=1)
    """Share of the examples for the test, 0 to 1; used when the data has no test part of its own."""
    by: str | None = None
    """Column of groups: all rows of one group stand on one side."""
    time: str | None = None
    """Column of dates or numbers: the oldest rows train, the newest test."""
    own: str | None = None
    """Column that holds train, val or test for each row."""
    stratify: bool = True
    """Keep the class shares (or the target's quantiles) equal on all sides."""
    content: bool = True
    """Keep examples of equal content, and pictures that look the same, on one side."""
    given: bool = True
    """Keep the train, val and test parts that the data brings; false: cut everything anew."""
    drop_twins: bool = False
    """Leave out training examples whose equal stands in validation or test parts that the data brings."""


class DataSpec(Spec):
    """Where the examples come from and how they are read."""

    source: Any = None
    """Path, set name, hub id, or objects in memory (Python only)."""
    kind: str | None = None
    """Name of the source on the shelf (`leadline list sources`); found by itself when left out."""
    target: str | int | None = None
    """Column to predict; a number counts columns from 0 for tables without header. Image folders need none."""
    target_kind: Literal["classes", "numbers"] | None = None
    """Whether the target of a table holds labels or numbers to predict; found by itself, with the evidence, when left out."""
    labels: str | None = None
    """CSV of file names and labels for a flat folder of images; found by itself when there is one."""
    split: SplitSpec = SplitSpec()
    cache: Literal["auto", "memory", "disk", "none"] = "auto"
    """Where decoded examples are kept: in memory when they fit, else in a file of fixed-size rows, else decoded each time."""
    image_size: int | None = Field(default=None, ge=8, le=2048)
    """Side of the square that images are brought to, pixels; chosen from the data when left out."""
    ignore: tuple[str, ...] = ()
    """Columns that are not to be used."""
    categories: tuple[str, ...] = ()
    """Columns of numbers that are codes, to be read as categories."""
    keep: tuple[str, ...] = ()
    """Columns that are to be used although they look like ids, free text or row counters."""
    numbers: Literal["auto", "standard", "quantile"] = "auto"
    """How columns of numbers are scaled: by mean and deviation, or to normal scores by training quantiles (calm under heavy tails)."""
    separator: str | None = None
    """Cell separator of a text table; found by itself when left out."""
    encoding: str | None = None
    """Text encoding of a table; found by itself and named when it is not UTF-8."""
    header: bool | None = None
    """Whether the first row holds column names; found by itself when left out."""
    missing: tuple[str, ...] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-")
    """Cell texts that mean missing."""
    max_excluded: float = Field(default=0.001, ge=0, le=1)
    """Largest share of examples that may be left out as unreadable or without target before the program stops."""
    workers: int = Field(default=0, ge=0, le=64)
    """Processes that decode, where examples do not fit in memory or on disk."""


class AugmentSpec(Spec):
    """Random changes of training images; each sample draws its own, from (seed, epoch, index)."""

    flip: bool = False
    """Mirror left-right, each second image."""
    crop: int = Field(default=0, ge=0)
    """Pad by this many pixels and cut a random window of the old size."""
    scale: float = Field(default=0.0, ge=0, lt=1)
    """Random resized crop: smallest share of the area that a crop keeps is 1 - scale."""
    rotate: float = Field(default=0.0, ge=0, le=180)
    """Largest rotation, degrees."""
    colour: float = Field(default=0.0, ge=0, le=1)
    """Strength of brightness, contrast and saturation changes."""
    erase: float = Field(default=0.0, ge=0, le=1)
    """Chance to blank a random rectangle."""
    randaugment: int = Field(default=0, ge=0, le=10)
    """RandAugment: number of operations per image, 0: off."""
    randaugment_magnitude: float = Field(default=9.0, ge=0, le=30)
    mixup: float = Field(default=0.0, ge=0)
    """MixUp's Beta parameter; 0: off."""
    cutmix: float = Field(default=0.0, ge=0)
    """CutMix's Beta parameter; 0: off. With both on, each batch draws one."""
