"""The manifest: what a checkpoint folder must hold, byte for byte. A folder without a sound one is no checkpoint."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from leadline.record.files import to_json
from leadline.training.tensors import Written

FOLDER = re.compile(r"step-(\d{8,})(?:-(\d+))?")  # the step, and the how-manieth save of that step
ASIDE = re.compile(r"\.tmp-(old-)?step-\d{8,}(-\d+)?")


@dataclass(frozen=True)
class Manifest:
    """step: optimizer steps taken. best: saved as the best so far. finite: all tensors finite. files: name to size and SHA-256.

    It carries a hash of itself, since a flipped bit in a manifest is as likely as one anywhere.
    """

    NAME: ClassVar[str] = "MANIFEST.json"

    step: int
    best: bool
    finite: bool
    files: dict[str, Written]

    def to_bytes(self) -> bytes:
        """The file's content. No time stands in it: two equal runs write equal files."""
        files = {name: {"size": file.size, "sha256": file.sha256} for name, file in self.files.items()}
        fields = {"schema": 1, **asdict(self), "files": files}
        return to_json({**fields, "sha256": _digest(fields)}, name=self.NAME)


def read_manifest(path: Path) -> Manifest:
    """The manifest of a checkpoint folder. Raises OSError when there is none, ValueError when it is damaged or of another step."""
    fields = json.loads((path / Manifest.NAME).read_bytes())
    if not isinstance(fields, dict) or fields.pop("sha256", None) != _digest(fields):
        raise ValueError("its manifest is damaged")
    if fields["schema"] != 1 or fields["step"] != order(path)[0]:
        raise ValueError("its manifest belongs to another checkpoint")
    files = {name: Written(file["size"], file["sha256"]) for name, file in fields["files"].items()}
    return Manifest(fields["step"], best=fields["best"], finite=fields["finite"], files=files)


def verify(path: Path) -> str | None:
    """Read every file of a checkpoint and compare; what is wrong with it, or None when all is as it was written."""
    try:
        manifest = read_manifest(path)
        problems = (_problem(path / name, expected) for name, expected in manifest.files.items())
        return next((problem for problem in problems if problem), None)
    except OSError as error:
        return f"{Path(error.filename or path).name} cannot be read ({error.strerror})"
    except ValueError as error:
        return str(error) if "manifest" in str(error) else "its manifest is damaged"


def is_sound(path: Path) -> bool:
    """Whether the folder carries a sound manifest, and so was written by us; its files are not looked at."""
    try:
        read_manifest(path)
    except (OSError, ValueError):
        return False
    return True


def standing(folder: Path) -> list[Path]:
    """The checkpoint folders by name, newest step first, sound or not. Order is by step, never by time: clocks and copies lie."""
    if not folder.is_dir():
        return []
    named = (path for path in folder.iterdir() if FOLDER.fullmatch(path.name) and path.is_dir())
    return sorted(named, key=order, reverse=True)


def asides(folder: Path) -> list[Path]:
    """What killed saves and rotations left behind."""
    return [path for path in folder.iterdir() if ASIDE.fullmatch(path.name)]


def order(path: Path) -> tuple[int, int]:
    """(step, how-manieth save of it) of a checkpoint folder's name."""
    found = FOLDER.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2] or 1)


def _problem(path: Path, expected: Written) -> str | None:
    size = path.stat().st_size
    if size != expected.size:
        return f"{path.name} has {size} bytes, not {expected.size}"
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected.sha256:
            return f"{path.name} is damaged: its SHA-256 is not the manifest's"
    return None


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
