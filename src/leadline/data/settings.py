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


class TextSpec(Spec):
    """How texts become tokens."""

    tokenizer: str = "auto"
    """characters, bytes, words, bpe or wordpiece, learnt from the training texts; or the hub id or folder of a pretrained tokenizer.
    auto: the pretrained model's own, else what suits the task."""
    vocabulary: int = Field(default=8000, ge=64, le=1_000_000)
    """Most tokens that words, bpe and wordpiece learn."""
    length: int | Literal["auto"] = "auto"
    """Most tokens of an example, longer ones are cut off (the share is said); auto: what 99 of 100 training texts need, at most 512.
    For running text: tokens that the network sees at a time (auto: 256)."""


class AudioSpec(Spec):
    """How sound files are named, and what of them a network hears."""

    names: str | None = None
    """File names of a flat folder as a pattern, such as label_speaker_index; each word is a column. Found by itself."""
    test: dict[str, tuple[str | int, ...]] = Field(default={})
    """Which clips are the test part, by a column's values: {index: [0, 1, 2]}; all others train."""
    rate: int | None = Field(default=None, ge=1000, le=192_000)
    """Samples per second that clips are brought to; the commonest rate, at most 16,000, when left out."""
    seconds: float | None = Field(default=None, gt=0, le=600)
    """Length that clips are padded or cut to, in seconds; chosen from the training clips when left out."""
    mels: int = Field(default=64, ge=8, le=256)
    """Bands of the mel scale."""
    window_ms: float = Field(default=25.0, gt=0, le=1000)
    """Length of the window of each spectrum, in milliseconds."""
    hop_ms: float = Field(default=10.0, gt=0, le=1000)
    """Time from one spectrum to the next, in milliseconds."""
    stack: int = Field(default=2, ge=1, le=16)
    """Spectra put side by side to one frame of a transcription; more frames to a second cost time."""


class SeriesSpec(Spec):
    """How a table of values over time is cut into windows."""

    time: str | None = None
    """Column of the dates; found by itself when left out."""
    window: int | None = Field(default=None, ge=2, le=100_000)
    """Steps that a forecast looks back on; several seasons when left out."""
    horizon: int | None = Field(default=None, ge=1, le=100_000)
    """Steps to forecast; one season when left out."""
    stride: int = Field(default=1, ge=1)
    """Steps from the beginning of one window to that of the next."""
    parts: tuple[int, int, int] | None = None
    """Rows of train, val and test from the first row on, what is left over is not used; by default the shares of data.split."""
    reach_back: bool = False
    """Let windows of val and test look back on the rows before their part, as published scores do; what they forecast never overlaps."""
    fill: Literal["none", "last"] = "none"
    """Missing cells and steps: leave out every window that holds one, or take the last known value."""


class DataSpec(Spec):
    """Where the examples come from and how they are read."""

    source: Any = None
    """Path, set name, hub id, or objects in memory (Python only)."""
    kind: str | None = None
    """Name of the source on the shelf (`leadline list sources`); found by itself when left out."""
    target: str | int | None = None
    """Column to predict; a number counts columns from 0 for tables without header. Image folders need none."""
    target_kind: Literal["classes", "numbers", "several", "tags", "text"] | None = None
    """What the target holds: a label, a number, several labels, a tag for each word, a text; found by itself, with the evidence, when
    left out."""
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
    text: TextSpec = TextSpec()
    audio: AudioSpec = AudioSpec()
    series: SeriesSpec = SeriesSpec()
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
    time_mask: float = Field(default=0.0, ge=0, le=1)
    """SpecAugment: largest share of a spectrogram's time that each of two masks blanks; 0: off."""
    freq_mask: float = Field(default=0.0, ge=0, le=1)
    """SpecAugment: largest share of a spectrogram's bands that each of two masks blanks; 0: off."""
    mixup: float = Field(default=0.0, ge=0)
    """MixUp's Beta parameter; 0: off."""
    cutmix: float = Field(default=0.0, ge=0)
    """CutMix's Beta parameter; 0: off. With both on, each batch draws one."""
