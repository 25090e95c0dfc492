"""Small pictures and raw rows of the examples that deserve a look, written into the run folder where the report finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leadline.record.files import write_atomic

# Longest side of a stored picture, pixels: sharp in a report, about 20 KB at most.
SIDE = 160
# Smaller pictures are enlarged by whole factors up to this, so that each stored pixel stays a square.
SMALLEST = 96


def write_examples(folder: Path, images: Mapping[int, np.ndarray]) -> list[Path]:
    """Write plots/examples/<example number>.png for each image (H, W, C) or (H, W) uint8, at most 160 pixels a side."""
    from PIL import Image

    place = folder / "plots" / "examples"
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for index, pixels in images.items():
        picture = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels))
        picture.thumbnail((SIDE, SIDE))
        factor = max(1, SMALLEST // max(picture.size))
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
        path = place / f"{int(index)}.png"
        picture.save(path, optimize=True)
        written.append(path)
    return written


def write_rows(folder: Path, rows: Mapping[int, Mapping[str, Any]]) -> Path:
    """Write plots/examples/rows.json: the raw cells of each shown table row by example number and column."""
    path = folder / "plots" / "examples" / "rows.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {str(int(index)): {str(column): _cell(value) for column, value in cells.items()} for index, cells in rows.items()}
    write_atomic(path, json.dumps(plain, ensure_ascii=False, allow_nan=False).encode())
    return path


def _cell(value: Any) -> Any:
    """A cell as JSON has it: numbers stay numbers, missing is null, all else is text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return None
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | str) else str(value)
