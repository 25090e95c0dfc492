"""Pictures drawn for the tests of image sources: photo-like ones, all different, and files of every odd kind."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def photo(seed: int, *, width: int = 64, height: int = 48) -> Image.Image:
    """Coloured clouds with finer clouds in them, different for each seed."""
    draw = np.random.default_rng(seed)
    layers = [draw.integers(0, 256, (cells, cells, 3), dtype=np.uint8) for cells in (4, 12)]
    coarse, fine = (Image.fromarray(layer).resize((width, height), Image.Resampling.BICUBIC) for layer in layers)
    return Image.blend(coarse, fine, 0.4)


def grey(seed: int, *, side: int = 28) -> np.ndarray:
    """(side, side) uint8 grey clouds."""
    return np.asarray(photo(seed, width=side, height=side).convert("L"))


def save(picture: Image.Image, path: Path, **options: object) -> Path:
    """Write a picture, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return path


def class_folders(root: Path, *, count: int = 6, classes: tuple[str, ...] = ("cat", "dog"), start: int = 0) -> Path:
    """`count` photos per class, root/cat/0.png and so on."""
    for code, name in enumerate(classes):
        for index in range(count):
            save(photo(start + 1000 * code + index), root / name / f"{index}.png")
    return root


def jpeg_bytes(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def write_odd(root: Path) -> dict[str, Path]:
    """One usable file of every odd kind: printing colours, 16 bits, transparency, frames, EXIF rotation, palette, one bit."""
    deep = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    clear = photo(1).convert("RGBA")
    clear.putalpha(0)
    upright = Image.fromarray(np.tile(np.linspace(0, 255, 40, dtype=np.uint8)[:, None, None], (1, 20, 3)))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture must be turned a quarter clockwise
    files = {
        "cmyk": save(photo(2).convert("CMYK"), root / "cmyk.jpg"),
        "deep": save(Image.fromarray(deep), root / "deep.png"),
        "clear": save(clear, root / "clear.png"),
        "animated": save(photo(3), root / "animated.gif", save_all=True, append_images=[photo(4), photo(5)], duration=50),
        "rotated": save(upright.rotate(90, expand=True), root / "rotated.jpg", exif=exif, quality=95),
        "palette": save(photo(6).convert("P"), root / "palette.png"),
        "one_bit": save(photo(7).convert("1"), root / "one_bit.png"),
        "webp": save(photo(8), root / "photo.webp"),
        "bmp": save(photo(9), root / "photo.bmp"),
        "tiff": save(photo(10), root / "photo.tiff"),
    }
    return files


def write_broken(root: Path) -> dict[str, Path]:
    """Files that cannot be used: truncated JPEG and PNG, zero bytes, text called .jpg, a flipped byte within a PNG."""
    root.mkdir(parents=True, exist_ok=True)
    png = io.BytesIO()
    photo(11).save(png, "PNG")
    damaged = bytearray(png.getvalue())
    damaged[len(damaged) // 2] ^= 0xFF
    contents = {
        "cut.jpg": jpeg_bytes(photo(12, width=200, height=200))[:-2000],
        "cut.png": png.getvalue()[: len(png.getvalue()) // 2],
        "empty.jpg": b"",
        "text.jpg": b"this is no picture",
        "damaged.png": bytes(damaged),
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return {name: root / name for name in contents}
