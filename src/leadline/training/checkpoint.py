"""Checkpoints: whole or absent. Written aside, synced, named; verified by hash before they are read and before an older one goes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from leadline.base.errors import LeadlineError
from leadline.record.files import free_bytes, storing, sync, sync_folder, to_json, write_atomic
from leadline.training.manifest import Manifest, asides, is_sound, read_manifest, standing, verify
from leadline.training.tensors import Written, read_tensors, write_tensors

TENSORS, STATE = "tensors.safetensors", "state.json"
KEEP = 2  # verified ones: should the disk spoil the newest, there is another to go on from


@dataclass(frozen=True)
class Saved:
    """A checkpoint that verified. skipped: one sentence for each newer one that did not."""

    step: int
    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]
    path: Path
    skipped: list[str]


class Checkpoints:
    """The `checkpoints/` folder of a run. One process writes to it (the run's lock); any may read.

    Each checkpoint is a folder step-00001234 with tensors.safetensors, state.json and MANIFEST.json (sizes, SHA-256). A second save of one
    step becomes step-00001234-2, so that nothing is ever overwritten. `last` and `best` are links, for people; resume goes by manifests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._verified: set[str] = set()

    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], *, best: bool = False) -> Path:
        """Write one, verify it by reading it back, then let old ones go. It is there as a whole or not at all.

        tensors: of any device and layout; shared and channels-last ones come back bit-equal in their layout. state: plain JSON, no NaN,
        text as keys. best: the best so far. Raises LeadlineError LL008 when the disk is full (the older ones are intact), LL038 when what
        was written does not read back.
        """
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.tidy()
        path = _free_name(self.folder, step)
        with _aside(path) as aside:
            contents = _write(aside, tensors, state)
            manifest = Manifest(step, best=best, finite=contents[TENSORS].finite, files=contents)
            _put(aside / Manifest.NAME, manifest.to_bytes())
            sync_folder(aside)
            aside.rename(path)
            sync_folder(self.folder)
        problem = self._problem(path)
        if problem:
            help = "check the disk; the checkpoint before is intact"
            raise LeadlineError("LL038", f"the new checkpoint does not read back: {problem}", where=str(path), help=help)
        self._link()
        self._rotate()
        return path

    def newest(self) -> Saved | None:
        """The one to go on from: the highest step that verifies; None when none was ever saved.

        Raises LeadlineError LL038, naming them and their damage, when there are some and none verifies.
        """
        return self._first(standing(self.folder))

    def best(self) -> Saved | None:
        """The newest that was saved as the best and verifies; None when none was. Raises LL038 when those that stand are all damaged."""
        return self._first([path for path in standing(self.folder) if _has(path, "best")])

    def before(self, step: int) -> Saved | None:
        """The newest that verifies of those saved before step number `step` was made; None when there is none."""
        return self._first([path for path in standing(self.folder) if is_sound(path) and read_manifest(path).step < step])

    def forget(self, *, after: int) -> None:
        """Remove ours that were saved after step `after`: the run goes another way from there."""
        for path in standing(self.folder) if self.folder.is_dir() else ():
            if is_sound(path) and read_manifest(path).step > after:
                _remove(path)
        self.tidy()

    def tidy(self) -> None:
        """Clear what a killed save or rotation left, and point `last` and `best` where they belong.

        Only for the process that holds the run: call it on resume; `save` calls it too.
        """
        if self.folder.is_dir():
            for leftover in asides(self.folder):
                shutil.rmtree(leftover)
            self._link()

    def _first(self, candidates: list[Path]) -> Saved | None:
        skipped: list[str] = []
        for path in candidates:
            self._verified.discard(path.name)  # what was sound when it was written may not be so now
            problem = self._problem(path)
            if problem is None:
                state = json.loads((path / STATE).read_bytes())
                return Saved(read_manifest(path).step, read_tensors(path / TENSORS), state, path, skipped)
            skipped.append(f"{path.name} was skipped: {problem}")
        if not skipped:
            return None
        more = f"; and {len(skipped) - 2} more" if len(skipped) > 2 else ""
        help = "put back a copy of one of them, or start a new run"
        raise LeadlineError("LL038", f"no checkpoint verifies: {'; '.join(skipped[:2])}{more}", where=str(self.folder), help=help)

    def _problem(self, path: Path) -> str | None:
        """What is wrong with a checkpoint; one that was found sound is not read again for the links and the rotation."""
        problem = None if path.name in self._verified else verify(path)
        if problem is None:
            self._verified.add(path.name)
        return problem

    def _link(self) -> None:
        sound = [path for path in standing(self.folder) if is_sound(path)]
        _point(self.folder / "last", next((path for path in sound if not self._problem(path)), None))
        _point(self.folder / "best", next((path for path in sound if _has(path, "best") and not self._problem(path)), None))

    def _rotate(self) -> None:
        """Remove ours but for the newest two that verify, the best as each of the two knows it, and the last with finite numbers."""
        ours = [path for path in standing(self.folder) if is_sound(path)]
        kept = [path for path in ours if not self._problem(path)][:KEEP]
        needed = {*kept, *_newest_with("finite", ours[ours.index(kept[0]) :])}
        for path in kept:
            needed |= _newest_with("best", ours[ours.index(path) :])
        if len(kept) == KEEP:
            for path in ours[ours.index(kept[0]) :]:
                if path not in needed:
                    _remove(path)


def _has(path: Path, flag: str) -> bool:
    return is_sound(path) and getattr(read_manifest(path), flag)


def _newest_with(flag: str, newest_first: list[Path]) -> set[Path]:
    return set([path for path in newest_first if _has(path, flag)][:1])


def _free_name(folder: Path, step: int) -> Path:
    path, again = folder / f"step-{step:08d}", 1
    while path.exists():
        again += 1
        path = folder / f"step-{step:08d}-{again}"
    return path


@contextmanager
def _aside(path: Path) -> Generator[Path]:
    """A folder to write in that is no checkpoint yet; it goes when anything goes wrong."""
    aside = path.with_name(f".tmp-{path.name}")
    with storing(path):
        aside.mkdir()
        try:
            yield aside
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def _write(folder: Path, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> dict[str, Written]:
    """Both files on the disk, with their sizes and hashes."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if free_bytes(folder) < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # known beforehand: no use in filling the disk to the brim
    text = _state_json(state)
    _put(folder / STATE, text)
    return {TENSORS: write_tensors(folder / TENSORS, tensors), STATE: Written(len(text), hashlib.sha256(text).hexdigest())}


def _put(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        sync(file.fileno())


def _state_json(state: dict[str, Any]) -> bytes:
    """The state as JSON that reads back equal, tuples as lists. Raises TypeError where it would not (a number as a key becomes text)."""
    text = to_json(state, name=STATE)
    if json.loads(text) != _with_lists(state):
        raise TypeError(f"{STATE}: the state does not come back equal from JSON; keys must be text")
    return text


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    return [_with_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _point(link: Path, target: Path | None) -> None:
    """Have a link name `target`, in one step; where the disk knows no links, a text file with the name."""
    if target is None:
        link.unlink(missing_ok=True)
        return
    if link.is_symlink() and os.readlink(link) == target.name:
        return
    aside = link.with_name(f".tmp-{link.name}")
    aside.unlink(missing_ok=True)
    with storing(link):
        try:
            aside.symlink_to(target.name)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
            write_atomic(link, f"{target.name}\n".encode())
            return
        aside.replace(link)  # not synced: should a power cut undo it, `tidy` does it again


def _remove(path: Path) -> None:
    """Take a checkpoint away so that a kill in the midst leaves no half one under its name."""
    aside = path.with_name(f".tmp-old-{path.name}")
    path.rename(aside)
    shutil.rmtree(aside)
