"""One picture file becomes pixels, safely: known formats only, a limit before decoding, and every oddity named.

A picture is a uint8 array (height, width, channels) of 1 or 3 channels, upright, its transparency laid over white.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from leadline.base.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
READABLE = "JPEG, PNG, WebP, BMP, GIF and TIFF"
MAX_PIXELS = 64_000_000
"""Larger pictures are refused before decoding: 64 million pixels are 192 MB in memory, and a file of 1 MB can claim them."""
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_ORIENTATION = 0x0112  # the EXIF tag
ROTATED = "rotated by EXIF"
_SWAPS_SIDES = (5, 6, 7, 8)  # EXIF orientations that lie on their side


class Unreadable(Exception):
    """A picture that cannot be used; `reason` reads after its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Decoded:
    """A picture, its mode and upright size as stored (width, height), and what is odd about the file."""

    pixels: np.ndarray
    mode: str
    size: tuple[int, int]
    oddities: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """Mode, upright size (width, height) and oddities, as the file's first bytes tell them."""

    mode: str
    size: tuple[int, int]
    oddities: tuple[str, ...]


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back Pillow's warnings on odd files, which we report ourselves. Around a whole pass, not per file: filters are global."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def decode(data: bytes, *, short_side: int | None = None) -> Decoded:
    """Decode the bytes of a file; raises Unreadable and nothing else.

    short_side: a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side stays at least this many pixels.
    """
    with _guarded(data) as picture:
        return _decoded(picture, short_side)


def inspect(data: bytes) -> Header:
    """Check a file without decoding it: header, checksums where the format has them, and that its end is there; raises Unreadable."""
    with _guarded(data) as picture:
        _refuse_huge(picture)
        oddities, size = _oddities(picture), picture.size
        if picture.format in ("JPEG", "MPO") and picture.getexif().get(_ORIENTATION, 1) in _SWAPS_SIDES:
            oddities, size = (*oddities, ROTATED), (size[1], size[0])
        header = Header(picture.mode, size, oddities)
        picture.verify()
    if not _is_ended(data):
        raise Unreadable("is truncated")
    return header


@contextmanager
def _guarded(data: bytes) -> Iterator[Image.Image]:
    """The opened picture; whatever goes wrong with it becomes Unreadable."""
    if not data:
        raise Unreadable("holds zero bytes")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            yield picture
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Unreadable(f"is no picture that can be read ({READABLE})") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"claims more than {MAX_PIXELS // 10**6} million pixels") from None
    except Exception as error:  # noqa: BLE001  Pillow's parsers raise whatever the broken bytes lead them to
        raise Unreadable(_why(error)) from None


def _is_ended(data: bytes) -> bool:
    """Whether the last bytes of a JPEG, PNG, GIF or WebP file are there; others cannot be told without decoding."""
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9", max(0, len(data) - 2**16)) >= 0  # cameras put some bytes behind the end mark
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:]
    if data.startswith(b"GIF8"):
        return b"\x3b" in data[-64:]
    if data.startswith(b"RIFF"):
        return len(data) >= int.from_bytes(data[4:8], "little")
    return True


def from_pillow(picture: Image.Image) -> np.ndarray:
    """The pixels of a picture opened by the caller; raises Unreadable."""
    return _decoded(picture, None).pixels


def read_image(source: str | Path | Image.Image | np.ndarray | bytes) -> np.ndarray:
    """A uint8 picture (H, W, 1 or 3) from a path, bytes, a Pillow picture or an array; the same rules as in training.

    Arrays may be (H, W) or (H, W, 1, 3 or 4) of uint8. Raises InputError LL001 for a missing file, LL029 for what cannot be read.
    """
    if isinstance(source, np.ndarray):
        return as_picture(source)
    name = str(source) if isinstance(source, str | Path) else "the picture"
    try:
        with quiet():
            if isinstance(source, Image.Image):
                return from_pillow(source)
            return decode(source if isinstance(source, bytes) else read_bytes(source)).pixels
    except Unreadable as error:
        raise InputError("LL029", f"{name} {error.reason}", where=name, help=f"give a picture file: {READABLE}") from None


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file; raises Unreadable when it cannot be read, InputError LL001 when it is not there."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError("LL001", f"there is no file {path}", where=str(path)) from None
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None


def as_picture(array: np.ndarray) -> np.ndarray:
    """A uint8 array as (H, W, 1 or 3); raises InputError LL029 for another type or shape."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or array.dtype != np.uint8 or 0 in array.shape:
        said = f"a picture array must be uint8 of shape (height, width) or (height, width, 1, 3 or 4), not {array.dtype} {array.shape}"
        raise InputError("LL029", said, help="scale it to 0..255 and put the channels last")
    return from_pillow(Image.fromarray(array, "RGBA")) if array.shape[-1] == 4 else array


def content_hash(pixels: np.ndarray) -> int:
    """64 bits of the pixels and their shape, stable between machines and runs."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(digest.digest(), "little")


def bytes_hash(data: bytes) -> int:
    """64 bits of a file's bytes."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _decoded(picture: Image.Image, short_side: int | None) -> Decoded:
    width, height = picture.size
    _refuse_huge(picture)
    oddities = _oddities(picture)
    mode = picture.mode
    if short_side and min(width, height) >= 2 * short_side:
        scale = min(width, height) // short_side
        picture.draft(None, (width // scale, height // scale))
    picture.load()
    orientation = picture.getexif().get(_ORIENTATION, 1)
    if orientation in range(2, 9):
        picture = ImageOps.exif_transpose(picture)
        oddities = (*oddities, ROTATED)
    size = (height, width) if orientation in _SWAPS_SIDES else (width, height)
    return Decoded(_pixels(picture), mode, size, oddities)


def _refuse_huge(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise Unreadable(f"has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million")


def _oddities(picture: Image.Image) -> tuple[str, ...]:
    """What is unusual, told by the header alone."""
    seen = []
    if picture.mode == "CMYK":
        seen.append("CMYK")
    if picture.mode in _DEEP or "16" in _raw_mode(picture):
        seen.append("16-bit")
    if picture.has_transparency_data:
        seen.append("transparent")
    if getattr(picture, "is_animated", False) and picture.format != "MPO":  # an MPO is a camera's JPEG with a preview behind it
        seen.append("animated")
    return tuple(seen)


def _raw_mode(picture: Image.Image) -> str:
    """How the file packs its pixels, such as "RGB;16B"."""
    for tile in getattr(picture, "tile", ()):
        args = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        return str(args[0])
    return ""


def _pixels(picture: Image.Image) -> np.ndarray:
    """uint8 (H, W, 1 or 3) of a loaded, upright picture of any mode."""
    if picture.mode in _DEEP:
        return _eight_bits(np.asarray(picture))[..., None]
    if picture.mode == "F":
        raise Unreadable("has floating-point pixels, whose white is not known")
    grey = picture.mode in GREY_MODES
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, clear)
    plain = picture.convert("L" if grey else "RGB")
    pixels = np.asarray(plain)
    return pixels[..., None] if grey else pixels


def _eight_bits(deep: np.ndarray) -> np.ndarray:
    """0..65535 to 0..255, rounded, never clipped."""
    if deep.min() < 0 or deep.max() > 65535:
        raise Unreadable("has 32-bit pixels, whose white is not known")
    return ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _why(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    if "truncated" in text.lower() or "unexpected end" in text.lower() or isinstance(error, EOFError):
        return "is truncated"
    return f"is damaged ({text.splitlines()[0][:60]})"


def grey_by_content(pixels: np.ndarray) -> bool:
    """Whether a picture has no colour: one channel, or three equal ones."""
    if pixels.shape[-1] == 1:
        return True
    first: Any = pixels[..., 0]
    return bool((first == pixels[..., 1]).all() and (first == pixels[..., 2]).all())


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """The picture with 1 or 3 channels: grey is repeated, colour is weighed as the eye does."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
