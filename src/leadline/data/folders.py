"""What stands in a folder of pictures: which files are pictures, and what class and side their folders give them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leadline.base.errors import InputError

SIDES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"})
_PHONES = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k"}
_CAMERAS = {".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng"}
_PROGRAMS = {".svg", ".psd", ".ico", ".icns", ".eps", ".tga", ".exr", ".hdr", ".dcm", ".xcf", ".ppm", ".pgm", ".pbm", ".pnm"}
UNREAD = frozenset(_PHONES | _CAMERAS | _PROGRAMS)
"""Pictures in formats that are not read: they count as examples that were left out, other files do not."""
_LITTER = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "icon\r"})
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"RIFF", b"BM", b"II*\0", b"MM\0*")


@dataclass(frozen=True)
class Files:
    """All files below a folder by relative path with "/", each list sorted. hidden: hidden files and folders and systems' litter."""

    pictures: list[str]
    unread: list[str]
    others: list[str]
    hidden: list[str]


@dataclass(frozen=True)
class Arrangement:
    """Classes and sides as folders tell them, in step with `pictures`; loose pictures stand in no class folder.

    sides: one of train, val, test per picture, or None. below: the sub-folder that holds everything, or "".
    """

    pictures: list[str]
    labels: list[str]
    sides: list[str] | None
    loose: list[str]
    below: str = ""


def list_files(root: Path) -> Files:
    """Every file below `root`, links followed once; nothing is opened but files without suffix."""
    found = Files([], [], [], [])
    for path, is_hidden in _walk(root):
        suffix = os.path.splitext(path)[1].lower()
        if is_hidden:
            found.hidden.append(path)
        elif suffix in PICTURES or (not suffix and _starts_like_picture(root / path)):
            found.pictures.append(path)
        else:
            (found.unread if suffix in UNREAD else found.others).append(path)
    for names in (found.pictures, found.unread, found.others, found.hidden):
        names.sort()
    return found


def _walk(root: Path) -> Iterator[tuple[str, bool]]:
    """(relative path, is hidden) of all files; hidden folders come as one entry and are not entered."""
    seen = {os.path.realpath(root)}
    for folder, below, files in os.walk(root, followlinks=True):
        here = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if here == "." else here + "/"
        for name in files:
            yield prefix + name, _is_hidden(name)
        for name in below:
            if _is_hidden(name):
                yield prefix + name, True
        below[:] = [name for name in sorted(below) if not _is_hidden(name) and _is_new(os.path.join(folder, name), seen)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _is_new(folder: str, seen: set[str]) -> bool:
    """Whether a folder is met for the first time; a link in a circle would otherwise never end."""
    real = os.path.realpath(folder)
    if real in seen:
        return False
    seen.add(real)
    return True


def _starts_like_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(_MAGIC)
    except OSError:
        return False


def first_picture(root: Path, *, limit: int = 2000) -> str | None:
    """The relative path of some picture below `root`, looking at most at `limit` files; quick on any folder."""
    for count, (path, is_hidden) in enumerate(_walk(root)):
        suffix = os.path.splitext(path)[1].lower()
        if not is_hidden and suffix in PICTURES:
            return path
        if count >= limit:
            break
    return None


def arrange(pictures: list[str], name: str, *, noun: str = "pictures") -> Arrangement:
    """Read classes and sides off the folders. noun: what the files are, for messages.

    Raises InputError LL030 where two folders claim one side, LL014 where sides and classes mix.
    """
    below = _below(pictures)
    parts = [path.removeprefix(below).split("/") for path in pictures]
    tops = sorted({part[0] for part in parts if len(part) > 1})
    sides = _sides(tops, name, noun=noun)
    depth = 2 if sides else 1
    classed = [i for i, part in enumerate(parts) if len(part) > depth]
    loose = [pictures[i] for i, part in enumerate(parts) if len(part) <= depth]
    return Arrangement(
        [pictures[i] for i in classed],
        [parts[i][depth - 1] for i in classed],
        [sides[parts[i][0]] for i in classed] if sides else None,
        loose,
        below,
    )


def _below(pictures: list[str]) -> str:
    """The prefix that all pictures share when several folders and no picture stand there, as in unpacked archives; else ""."""
    shared = os.path.commonpath([os.path.dirname(path) for path in pictures]) if pictures else ""
    if not shared:
        return ""
    parts = [path.removeprefix(shared + "/").split("/") for path in pictures]
    is_inner = all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) > 1
    return shared + "/" if is_inner else ""


def _sides(tops: list[str], name: str, *, noun: str) -> dict[str, str] | None:
    """Folder to side, when the top folders are sides of a split and not classes."""
    sides = {top: SIDES[top.lower()] for top in tops if top.lower() in SIDES}
    if "train" not in sides.values() or len(set(sides.values())) < 2:
        return None
    if len(set(sides.values())) < len(sides):
        raise InputError(
            "LL030", f"{name} holds {', '.join(sides)}, and two of them mean the same side", where=name, help="keep one folder per side"
        )
    others = [top for top in tops if top not in sides]
    if others:
        raise InputError(
            "LL014",
            f"{name} holds the sides {', '.join(sides)} and beside them {noun} in {', '.join(others[:3])}",
            where=name,
            help="move these folders away, or below the side they belong to",
        )
    return sides
