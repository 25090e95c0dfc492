"""Small real data for wrong inputs: tables and pictures, written into the current folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def table(name: str = "rows.csv", *, rows: int = 60, extra: str = "") -> str:
    """A table of two numbers, a word and a label; `extra` is added as it stands."""
    lines = ["width,height,colour,label"]
    lines += [f"{i % 7}.5,{i % 11},{('red', 'blue')[i % 3 == 0]},{('yes', 'no')[i % 2]}" for i in range(rows)]
    Path(name).write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    return name


def pictures(folder: str, counts: dict[str, int], *, side: int = 12) -> str:
    """A folder of noise pictures by class, all different."""
    noise = np.random.default_rng(0)
    for label, count in counts.items():
        (Path(folder) / label).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.fromarray(noise.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(Path(folder) / label / f"{i}.png")
    return folder


def text(name: str, content: str) -> str:
    """A text file."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content, encoding="utf-8")
    return name
