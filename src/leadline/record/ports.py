"""Ports: what flows between data, model and task, as frozen records. A source gives one, a model takes one and gives another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Images:
    """One float tensor (B, channels, height, width), normalised."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Rows:
    """Two tensors: numbers (B, num_numbers) float32 standardised, and categories (B, len(category_sizes)) int64.

    category_sizes: number of codes of each category column; code 0 means missing or never seen in training.
    bins: per number column the training quantiles (ascending, distinct, in standardised units) for piecewise-linear embeddings.
    """

    num_numbers: int
    category_sizes: tuple[int, ...] = ()
    bins: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Tokens:
    """One int64 tensor (B, T) of token ids, T at most `length`, filled up at the end of each row with the id `padding`."""

    vocabulary: int
    length: int
    padding: int = 0


@dataclass(frozen=True)
class TokenPairs:
    """Two int64 tensors of ids of one vocabulary: the source (B, S), S at most `length`, and the beginning of the target (B, T),
    T at most `target_length`; both filled up at the end of each row with the id `padding`."""

    vocabulary: int
    length: int
    target_length: int
    padding: int = 0


@dataclass(frozen=True)
class Frames:
    """Numbers over time: a float tensor (B, T, features), T at most `length`, zeros behind each row's end, and the lengths (B,) int64."""

    features: int
    length: int


@dataclass(frozen=True)
class Classes:
    """Logits (B, num_classes), or (B, members, num_classes) from an ensemble in training mode."""

    num_classes: int


@dataclass(frozen=True)
class Values:
    """Standardised numbers (B, num_values), or (B, members, num_values) from an ensemble in training mode."""

    num_values: int


@dataclass(frozen=True)
class PlaceClasses:
    """Logits (B, T, num_classes), one row for each token or frame that went in; each may have seen the whole sequence."""

    num_classes: int


@dataclass(frozen=True)
class NextTokens:
    """Logits (B, T, vocabulary) of the token that follows each place; none has seen what comes behind it."""

    vocabulary: int


@dataclass(frozen=True)
class Embeddings:
    """One vector (B, width) for each example, such that like examples lie in like directions."""

    width: int


Takes = Images | Rows | Tokens | TokenPairs | Frames
Gives = Classes | Values | PlaceClasses | NextTokens | Embeddings
Port = Takes | Gives
_ALL: tuple[type[Port], ...] = (Images, Rows, Tokens, TokenPairs, Frames, Classes, Values, PlaceClasses, NextTokens, Embeddings)
_KINDS: dict[str, type[Port]] = {kind.__name__.lower(): kind for kind in _ALL}


def to_dict(port: Port) -> dict[str, Any]:
    """Plain JSON fields, read back by `from_dict`."""
    return {"kind": type(port).__name__.lower(), **asdict(port)}


def from_dict(fields: dict[str, Any]) -> Port:
    """The port that `to_dict` wrote."""
    rest = {key: _frozen(value) for key, value in fields.items() if key != "kind"}
    return _KINDS[fields["kind"]](**rest)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in cast(list[Any], value)) if isinstance(value, list) else value
