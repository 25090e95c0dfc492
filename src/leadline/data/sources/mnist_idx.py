"""MNIST's own file form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.data.source import Source

if TYPE_CHECKING:
    from leadline.data.pixels import ArrayImages
    from leadline.data.settings import DataSpec

# train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, emnist-letters-train-images-idx3-ubyte.gz
NAME = re.compile(r"(?P<set>.*?)(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?", re.IGNORECASE)


class MnistIdx(Source):
    """MNIST idx files, packed (.gz) or not: a folder of them, or one file by name.

        fashion-mnist/train-images-idx3-ubyte.gz  fashion-mnist/train-labels-idx1-ubyte.gz   the training side
        fashion-mnist/t10k-images-idx3-ubyte.gz   fashion-mnist/t10k-labels-idx1-ubyte.gz    the test side

    With both sides present the split is as given; with one it is cut anew. Classes are the labels' numbers. Each file's magic number and
    length are checked.
    """

    claims = 30
    gives = "images"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str | Path):
            return None
        path = Path(target)
        if path.is_file():
            return f"{path.name} is named like an MNIST idx file" if NAME.fullmatch(path.name) else None
        found = sorted(entry.name for entry in path.iterdir() if NAME.fullmatch(entry.name)) if path.is_dir() else []
        return f"{path.name} holds MNIST idx files: {', '.join(found[:2])}" if found else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> ArrayImages:
        """Read the files. Raises InputError LL001, LL002, LL014 (images without labels), LL015 (one class), LL039 (damaged file)."""
        from leadline.data.idx import open_idx

        return open_idx(Path(target))

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """Forty grey pictures of 16 pixels: a bright bar across or upright, in train (30) and t10k (10) files."""
        import numpy as np

        from leadline.data.idx import write_idx

        root = Path(folder) / "idx"
        root.mkdir(parents=True, exist_ok=True)
        draw = np.random.default_rng(0)
        labels = (np.arange(40) % 2).astype(np.uint8)
        pixels = draw.integers(0, 60, (40, 16, 16), dtype=np.uint8)
        for picture, label, place in zip(pixels, labels, draw.integers(1, 14, 40), strict=True):
            bar = picture[place : place + 2] if label == 0 else picture[:, place : place + 2]
            bar[:] = 230
        for side, part in (("train", slice(0, 30)), ("t10k", slice(30, 40))):
            write_idx(root / f"{side}-images-idx3-ubyte.gz", pixels[part])
            write_idx(root / f"{side}-labels-idx1-ubyte.gz", labels[part])
        return root
