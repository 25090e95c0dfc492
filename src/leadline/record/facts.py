"""Facts: what is there, as found. Written to facts.json; every wing reads them, nobody changes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

ColumnKind = Literal["number", "category", "date", "text", "id", "constant", "empty", "target"]


@dataclass(frozen=True)
class Column:
    """One column of a table: what it seems to hold and why it is or is not used.

    format: how its text is read, where that is not plain: a strptime format or "ISO8601" for dates, "," for a decimal comma,
    "." for categories that are numbers.
    """

    name: str
    kind: ColumnKind
    missing: int = 0
    unique: int = 0
    example: str | None = None
    used: bool = True
    reason: str = ""
    format: str | None = None


@dataclass(frozen=True)
class Problem:
    """Something odd, excluded or suspect about the data.

    severity: "excluded" (these examples are left out, and counted), "suspect" (may spoil the scores: twins, leaks), "odd" (kept; said).
    items: up to 20 names of examples or columns; count is the true number.
    """

    kind: str
    severity: Literal["excluded", "suspect", "odd"]
    count: int
    items: tuple[str, ...]
    explanation: str


@dataclass(frozen=True)
class Guess:
    """Something the program chose by itself: what, the evidence, and the words that override it."""

    what: str
    evidence: str
    override: str


@dataclass(frozen=True)
class ImageSizes:
    """Pixels as stored, over all images: (smallest, median, largest) and how many images have each colour mode."""

    width: tuple[int, int, int]
    height: tuple[int, int, int]
    modes: dict[str, int] = field(default_factory=dict[str, int])


TextForm = Literal["documents", "corpus", "words", "pairs", "chat", "preferences"]


@dataclass(frozen=True)
class TextFacts:
    """What kind of text there is.

    form: documents (a text each), corpus (pieces of running text), words (lists of words with a tag each), pairs (source and target),
    chat (messages of roles) or preferences (prompt, chosen, rejected). characters: (smallest, median, largest) of an example.
    """

    form: TextForm
    characters: tuple[int, int, int]


@dataclass(frozen=True)
class AudioFacts:
    """Sound as stored. rates: samples per second, and how many clips have each; seconds: (shortest, median, longest)."""

    rates: dict[int, int]
    seconds: tuple[float, float, float]


@dataclass(frozen=True)
class SeriesFacts:
    """A table of values over time. time: its column; step: seconds between rows; start and end: first and last time, as written.

    window and horizon: steps that a forecast looks back on, and steps that it tells. season: steps after which values are likely to come
    again, 1 where none is known.
    """

    time: str
    step: float
    start: str
    end: str
    rows: int
    columns: tuple[str, ...]
    window: int = 0
    horizon: int = 0
    season: int = 1


Kind = Literal["images", "table", "text", "audio", "series"]
TargetKind = Literal["classes", "numbers", "several", "tags", "text"]


@dataclass(frozen=True)
class Facts:
    """What a source holds.

    num_examples counts what is usable; excluded ones are in `problems`.
    target_kind: a label ("classes"), a number, several labels, a tag for each word, a text; None when the source holds no target.
    classes and class_counts go together, in the order of the label codes.
    given_split: counts of "train", "val", "test" when the source has its own.
    """

    kind: Kind
    name: str
    num_examples: int
    target: str | None = None
    target_kind: TargetKind | None = None
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    images: ImageSizes | None = None
    text: TextFacts | None = None
    audio: AudioFacts | None = None
    series: SeriesFacts | None = None
    given_split: dict[str, int] = field(default_factory=dict[str, int])
    problems: tuple[Problem, ...] = ()
    guesses: tuple[Guess, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return asdict(self)
