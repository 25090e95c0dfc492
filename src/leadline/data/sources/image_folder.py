"""Folders of pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.data.source import Source

if TYPE_CHECKING:
    from leadline.data.pixels import PackedImages
    from leadline.data.settings import DataSpec


class ImageFolder(Source):
    """A folder of pictures: one sub-folder per class, or all in one folder beside a table of file names and labels.

        photos/cat/1.jpg  photos/dog/2.jpg                        classes by folder; folders inside a class folder belong to it
        photos/train/cat/1.jpg  photos/test/cat/9.jpg             with sides: train, val (valid, validation) and test
        photos/1.jpg  photos/2.jpg  photos/labels.csv             a CSV whose rows hold a file name and a label (data.labels, data.target)

    JPEG, PNG, WebP, BMP, GIF and TIFF are read, up to 64 million pixels. Pictures that cannot be read are left out, the same ones in
    every run, each named with the reason; above data.max_excluded the program stops. Hidden files are ignored and counted.
    """

    claims = 50
    gives = "images"

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str | Path) or not Path(target).is_dir():
            return None
        from leadline.data.folders import first_picture

        found = first_picture(Path(target))
        return f"{Path(target).name} holds pictures, such as {found}" if found else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> PackedImages:
        """Open the folder and look at every file once.

        Raises InputError LL001, LL002 (no picture), LL003 (too many unreadable), LL014 (no labels), LL015 (one class), LL017, LL027, LL030.
        """
        from leadline.data.picture_folder import open_folder

        return open_folder(Path(target), spec)

    @classmethod
    def tiny(cls, folder: Any) -> Path:
        """Forty pictures of 16 pixels: red and green ones with a bright spot that wanders."""
        import numpy as np
        from PIL import Image

        root = Path(folder) / "pictures"
        draw = np.random.default_rng(0)
        count: Counter[str] = Counter()
        for index in range(40):
            name, channel = (("red", 0), ("green", 1))[index % 2]
            pixels = draw.integers(0, 60, (16, 16, 3), dtype=np.uint8)
            pixels[..., channel] += 120
            row, column = draw.integers(0, 12, 2)
            pixels[row : row + 4, column : column + 4] = 255
            count[name] += 1
            path = root / name / f"{count[name]:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return root
