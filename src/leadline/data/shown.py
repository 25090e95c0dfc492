"""Raw examples as people look at them in a report: pictures of what can be seen, else cells by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from leadline.data.prepare import Preparer
from leadline.data.source import Examples
from leadline.record.ports import Images

LONGEST = 400  # characters of a cell


def pictures(examples: Examples, rows: np.ndarray, preparer: Preparer) -> list[np.ndarray]:
    """uint8 (H, W, C) of each example: pictures as they are, sounds as spectrograms with low sounds below; empty for other kinds."""
    if not isinstance(preparer.gives, Images):
        return []
    raw = examples.fetch(rows)
    if examples.facts.kind == "images":
        return list(raw)
    return [levels[0, ::-1, :, None] for levels in preparer.store(raw)[0]]


def cells(examples: Examples, rows: np.ndarray) -> list[Mapping[str, Any]]:
    """What each example holds, by name: the columns of a row, the last known values of a series, the length of a sound, a text."""
    raw, about = examples.fetch(rows), examples.facts
    if about.kind == "table":
        return cast(list[Mapping[str, Any]], raw.to_dict("records"))
    if about.series is not None:
        now = about.series.window - 1
        return [dict(zip(about.series.columns, one[now].tolist(), strict=True)) for one in raw]
    if about.kind == "audio":
        return [{"seconds": round(len(samples) / rate, 2), "rate": rate} for samples, rate in raw]
    return [_texts(one) for one in raw]


def _texts(one: Any) -> Mapping[str, str]:
    if isinstance(one, Mapping):
        return {str(key): _short(value) for key, value in cast(Mapping[Any, Any], one).items()}
    if isinstance(one, Sequence) and not isinstance(one, str):
        return {str(place): _short(value) for place, value in enumerate(cast(Sequence[Any], one))}
    return {"text": _short(one)}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
