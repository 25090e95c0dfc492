"""The examples that deserve a look: where the loss is highest, and where the network was sure and wrong."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from leadline.report.folder import RunFolder, mapping
from leadline.report.words import is_number, number

MOST_SHOWN = 12
# Columns of a row that the page shows: the first ones are in the user's own order.
MOST_COLUMNS = 20


def view(run: RunFolder, budget: int) -> dict[str, Any]:
    """Both lists with pictures or row values; pictures are taken while they fit in `budget` bytes of page, and the rest is said."""
    if not run.shown:
        return {"why": run.why("predictions/test.parquet"), "lists": []}
    pictures = Pictures(run.folder / "plots" / "examples", budget)
    rows = row_values(run)
    lists = [("worst", "Highest loss", worst(run))]
    if run.is_classification:
        lists = _joined(lists[0], ("surest", "Surest and wrong", surest_wrong(run)))
    shown = [
        {"id": key, "title": title, "rows": [_example(run, i, pictures=pictures, rows=rows) for i in places]}
        for key, title, places in lists
    ]
    return {
        "lists": shown,
        "side": run.side,
        "has_pictures": pictures.taken > 0,
        "columns": list(next(iter(rows.values()), {}))[:MOST_COLUMNS],
        "left_out": pictures.left_out,
        "why": "",
        "is_classification": run.is_classification,
    }


def _joined(*lists: tuple[str, str, list[int]]) -> list[tuple[str, str, list[int]]]:
    """One list where both hold the same examples, as they always do with two classes."""
    first, second = lists
    return [(first[0], "Surest and wrong, with the highest loss", first[2])] if set(first[2]) == set(second[2]) else [first, second]


def worst(run: RunFolder) -> list[int]:
    """Positions of the highest losses, highest first."""
    losses = run.shown.get("loss") or []
    order = [i for i, loss in enumerate(losses) if is_number(loss)]
    return sorted(order, key=lambda i: -losses[i])[:MOST_SHOWN]


def surest_wrong(run: RunFolder) -> list[int]:
    """Positions of wrong answers, the most confident first."""
    sure, shown = run.shown["confidence"], run.shown
    wrong = [
        i for i, (true, said) in enumerate(zip(shown["target"], shown["prediction"], strict=True)) if true != said and is_number(sure[i])
    ]
    return sorted(wrong, key=lambda i: -sure[i])[:MOST_SHOWN]


def row_values(run: RunFolder) -> dict[str, dict[str, Any]]:
    """The raw cells of shown table rows, by example number (plots/examples/rows.json); empty without them."""
    try:
        rows = json.loads((run.folder / "plots" / "examples" / "rows.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: mapping(cells) for key, cells in mapping(rows).items()}


class Pictures:
    """The example pictures of a run as data addresses, as long as the page has room."""

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder, self.left = folder, budget
        self.taken = self.left_out = 0

    def take(self, index: int) -> str | None:
        """The picture of one example for an img tag; None when there is none or no room is left."""
        try:
            raw = (self.folder / f"{index}.png").read_bytes()
        except OSError:
            return None
        address = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
        if len(address) > self.left:
            self.left_out += 1
            return None
        self.left -= len(address)
        self.taken += 1
        return address


def _example(run: RunFolder, place: int, *, pictures: Pictures, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    shown = {name: column[place] for name, column in run.shown.items()}
    index = shown.get("index", place)
    cells = rows.get(str(index), {})
    return {
        "name": str(shown.get("name", index)),
        "target": _value(shown.get("target")),
        "prediction": _value(shown.get("prediction")),
        "right": shown.get("target") == shown.get("prediction") if run.is_classification else None,
        "confidence": number(shown.get("confidence")) if "confidence" in shown else None,
        "loss": number(shown.get("loss")),
        "picture": pictures.take(index),
        "cells": [_value(cells.get(column)) for column in list(cells)[:MOST_COLUMNS]],
    }


def _value(value: Any) -> str:
    return "" if value is None or value != value else number(value) if isinstance(value, float) else str(value)
