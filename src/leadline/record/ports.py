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
class Classes:
    """Logits (B, num_classes), or (B, members, num_classes) from an ensemble in training mode."""

    num_classes: int


@dataclass(frozen=True)
class Values:
    """Standardised numbers (B, num_values), or (B, members, num_values) from an ensemble in training mode."""

    num_values: int


Port = Images | Rows | Classes | Values
_KINDS: dict[str, type[Port]] = {kind.__name__.lower(): kind for kind in (Images, Rows, Classes, Values)}


def to_dict(port: Port) -> dict[str, Any]:
    """Plain JSON fields, read back by `from_dict`."""
    return {"kind": type(port).__name__.lower(), **asdict(port)}


def from_dict(fields: dict[str, Any]) -> Port:
    """The port that `to_dict` wrote."""
    rest = {key: _frozen(value) for key, value in fields.items() if key != "kind"}
    return _KINDS[fields["kind"]](**rest)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in cast(list[Any], value)) if isinstance(value, list) else value
