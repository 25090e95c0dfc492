"""From a folder to examples: files listed, labels found, every file scanned, and all that is left out named and counted."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data.decode import READABLE
from leadline.data.folders import Files, arrange, list_files
from leadline.data.label_file import read_labels
from leadline.data.pixels import FileImages
from leadline.data.scan import Scan, scan
from leadline.data.settings import DataSpec
from leadline.record.facts import Facts, Guess, ImageSizes, Problem

SHOWN = 20  # names listed per problem


@dataclass(frozen=True)
class _Named:
    """Pictures that have a label, and what was found about the others."""

    pictures: list[str]
    labels: list[str]
    sides: list[str] | None
    target: str
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    excluded: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    guesses: tuple[Guess, ...] = ()


def open_folder(root: Path, spec: DataSpec) -> FileImages:
    """The examples of a folder of pictures; see `ImageFolder` for its forms and errors."""
    if not root.is_dir():
        raise InputError("LL001", f"there is no folder {root}", where=str(root), help="check the path")
    files = list_files(root)
    if not files.pictures:
        raise InputError("LL002", f"{root} holds no picture that can be read", where=str(root), help=f"formats that are read: {READABLE}")
    named = _name(root, files, spec)
    named.excluded.extend((path, f"is in a format that is not read ({READABLE} are)") for path in files.unread)
    found = scan(root, named.pictures)
    excluded = sorted([*named.excluded, *found.excluded])
    _refuse_too_many(root, excluded, usable=len(found.kept), spec=spec)
    return _examples(root, files, named, found, excluded)


def _name(root: Path, files: Files, spec: DataSpec) -> _Named:
    """Labels by table where one is named or the pictures lie flat, else by folder."""
    folders = None if spec.labels else arrange(files.pictures, str(root))
    if folders is None or len(set(folders.labels)) < 2:
        table = read_labels(root, files.pictures, files.others, spec)
        if table is not None:
            return _Named(table.pictures, table.labels, None, table.target, table.columns, table.excluded, guesses=table.guesses)
    if folders is None or not folders.labels:
        raise InputError(
            "LL014",
            f"{root} holds {len(files.pictures):,} pictures without class folders, and no table of labels lists them",
            where=str(root),
            help=f"put each class in a folder ({root.name}/cat/1.jpg), or name a CSV of file names and labels: data.labels=labels.csv",
        )
    guesses = (Guess(f"pictures below {folders.below}", f"{root.name} holds nothing else", "data.source=FOLDER"),) if folders.below else ()
    named = _Named(folders.pictures, folders.labels, folders.sides, "folder", guesses=guesses)
    if folders.sides and folders.loose and all(path.split("/")[len(folders.below.split("/")) - 1].lower().startswith("test") for path in folders.loose):
        text = "pictures of the test folder stand in no class folder: they have no label and were not used"
        named.problems.append(_problem("unlabelled_test", "odd", folders.loose, text))
    else:
        named.excluded.extend((path, "stands in no class folder") for path in folders.loose)
    return named


def _refuse_too_many(root: Path, excluded: Sequence[tuple[str, str]], *, usable: int, spec: DataSpec) -> None:
    if not usable:
        name, reason = excluded[0]
        raise InputError(
            "LL002", f"none of the {len(excluded):,} pictures in {root} can be used: {name} {reason}", where=str(root), help="repair the files"
        )
    share = len(excluded) / (usable + len(excluded))
    if share <= spec.max_excluded:
        return
    listed = "; ".join(f"{name} {reason}" for name, reason in excluded[:3])
    more = f"; and {len(excluded) - 3:,} more" if len(excluded) > 3 else ""
    allow = math.ceil(share * 10_000) / 10_000
    raise InputError(
        "LL003",
        f"{len(excluded):,} of {usable + len(excluded):,} pictures cannot be used ({share:.1%}, allowed {spec.max_excluded:.1%}): {listed}{more}",
        where=str(root),
        help=f"repair or remove them, or leave them out with  data.max_excluded={allow:g}",
    )


def _examples(root: Path, files: Files, named: _Named, found: Scan, excluded: list[tuple[str, str]]) -> FileImages:
    pick = found.kept
    targets = np.array(named.labels)[pick]
    sides = np.array(named.sides)[pick] if named.sides else None
    counts = Counter(targets.tolist())
    classes = tuple(sorted(counts))
    if len(classes) < 2:
        raise InputError(
            "LL015",
            f"all {len(targets):,} pictures in {root} carry the one label '{classes[0]}'",
            where=str(root),
            help="add pictures of at least one other class, in a folder of its own",
        )
    names = [named.pictures[i] for i in pick]
    problems = (
        *_left_out(excluded),
        *named.problems,
        *_missing_classes(targets, sides, root),
        *_odd_files(found, names),
        *_beside(files),
    )
    facts = Facts(
        kind="images",
        name=str(root),
        num_examples=len(names),
        target=named.target,
        target_kind="classes",
        classes=classes,
        class_counts=tuple(counts[name] for name in classes),
        images=image_sizes(found.sizes, found.modes),
        given_split={side: int((sides == side).sum()) for side in ("train", "val", "test") if (sides == side).any()} if sides is not None else {},
        problems=problems,
        guesses=named.guesses,
    )
    columns = {name: values[pick] for name, values in named.columns.items()}
    return FileImages(facts, names, targets, sides, root, found, columns, tuple(excluded))


def image_sizes(sizes: np.ndarray, modes: dict[str, int]) -> ImageSizes:
    """Smallest, median and largest of widths and heights (N, 2)."""
    low, middle, high = sizes.min(0), np.percentile(sizes, 50, axis=0, method="lower"), sizes.max(0)
    width, height = ((int(low[axis]), int(middle[axis]), int(high[axis])) for axis in (0, 1))
    return ImageSizes(width, height, modes)


def _problem(kind: str, severity: str, names: Iterable[str], explanation: str) -> Problem:
    listed = list(names)
    return Problem(kind, severity, len(listed), tuple(listed[:SHOWN]), explanation)  # pyright: ignore[reportArgumentType]


def _left_out(excluded: Sequence[tuple[str, str]]) -> list[Problem]:
    """One problem per reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in excluded:
        by_reason[reason].append(name)
    return [_problem("unusable_pictures", "excluded", names, f"left out: each {reason}") for reason, names in sorted(by_reason.items())]


def _missing_classes(targets: np.ndarray, sides: np.ndarray | None, root: Path) -> list[Problem]:
    """Say which class a side lacks; raises InputError LL027 for a class that the training side lacks: it could never be learnt."""
    if sides is None:
        return []
    here = {side: set(targets[sides == side].tolist()) for side in ("train", "val", "test") if (sides == side).any()}
    every = set(targets.tolist())
    strange = sorted(every - here.get("train", set()))
    if strange:
        raise InputError(
            "LL027",
            f"{root} has no training pictures of {', '.join(strange[:5])}, which other sides hold",
            where=str(root),
            help="give every side the same class folders, or cut the split anew with data.split.given=false after moving them together",
        )
    return [
        _problem("class_missing_in_split", "suspect", sorted(every - held), f"classes of which the {side} folder holds no picture: no score for them")
        for side, held in here.items()
        if every - held
    ]


_ODD = {
    "CMYK": "stored in printing colours; converted to RGB",
    "16-bit": "stored with 16 bits per value; scaled to 8",
    "transparent": "with transparency; laid over white",
    "animated": "with several frames; the first is used",
    "rotated by EXIF": "stored rotated; turned upright as their EXIF data say",
}


def _odd_files(found: Scan, names: Sequence[str]) -> list[Problem]:
    return [
        _problem(f"{kind.lower().replace(' ', '_').replace('-', '_')}_pictures", "odd", [names[i] for i in places], f"pictures {_ODD[kind]}")
        for kind, places in found.oddities.items()
    ]


def _beside(files: Files) -> list[Problem]:
    """Files that are no pictures, and hidden ones."""
    said = (("other_files", files.others, "files that are no pictures: not read"), ("hidden_files", files.hidden, "hidden files: ignored"))
    return [_problem(kind, "odd", names, text) for kind, names, text in said if names]
