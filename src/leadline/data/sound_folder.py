"""Opening a folder of sounds: labels from sub-folders, from a table beside the files, or from the files' names."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data import sound_names
from leadline.data.folders import arrange, list_files
from leadline.data.label_file import LABEL_NAMES, read_labels
from leadline.data.labelled_pictures import count_sides, problem
from leadline.data.settings import DataSpec
from leadline.data.sound import READABLE, SUFFIXES, UNREAD
from leadline.data.sound_examples import Heard, Sounds, audio_facts, hear_all, left_out, odd_sounds
from leadline.record.facts import Facts, Guess, Problem

TRANSCRIPTS = ("transcript", "transcription", "text", "sentence")
"""What the column of a table is called that holds what is said."""
FASTEST = 40  # characters a second: twice as fast as anyone speaks, and about what the frames of a transcription can hold
_WORDY = 0.5  # of labels that each stand alone: more is no set of classes, but a text for each


@dataclass(frozen=True)
class _Labelled:
    """Sounds that have a label, in step with `names`, and what was found about others on the way. table: the file of labels, if any."""

    names: Sequence[str]
    labels: Sequence[str]
    target: str
    sides: Sequence[str] | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    excluded: list[tuple[str, str]] = field(default_factory=list)
    guesses: tuple[Guess, ...] = ()
    table: str = ""


def open_sounds(path: Path, spec: DataSpec) -> Sounds:
    """The examples of a folder of sounds, or of a table of file names and labels; see `WavFolder` for its forms and errors."""
    if path.is_file():
        path, spec = path.parent, spec.model_copy(update={"labels": path.name})
    if not path.is_dir():
        raise InputError("LL001", f"there is no folder {path}", where=str(path), help="check the path")
    files = list_files(path)
    others = [*files.others, *files.pictures, *files.unread]
    sounds = [name for name in others if _suffix(name) in SUFFIXES]
    if not sounds:
        raise InputError("LL002", f"{path} holds no sound that can be read", where=str(path), help=f"formats that are read: {READABLE}")
    rest = [name for name in others if _suffix(name) not in SUFFIXES | UNREAD]
    labelled = _label(path, sounds, rest, spec)
    labelled.excluded.extend((name, f"is in a format that is not read ({READABLE} are)") for name in others if _suffix(name) in UNREAD)
    rest = [name for name in rest if name != labelled.table]
    problems = [problem("other_files", "odd", rest, "files that are no sounds: not heard")] if rest else []
    return _examples(path, labelled, problems, spec)


def _label(root: Path, sounds: list[str], others: list[str], spec: DataSpec) -> _Labelled:
    """Labels by table or pattern where one is named or the sounds lie flat, else by folder."""
    folders = None if spec.labels or spec.audio.names else arrange(sounds, str(root), noun="sounds")
    if folders is not None and len(set(folders.labels)) >= 2:
        loose = [(name, "stands in no class folder") for name in folders.loose]
        return _Labelled(folders.pictures, folders.labels, "folder", folders.sides, excluded=loose)
    if not spec.audio.names:
        table = read_labels(root, sounds, others, spec, noun="sound", telling=_telling(spec))
        if table is not None:
            said = {"columns": table.columns, "excluded": table.excluded, "guesses": table.guesses, "table": table.path.name}
            return _Labelled(table.pictures, table.labels, table.target, **said)
    named = sound_names.by_pattern(sounds, spec.audio.names) if spec.audio.names else sound_names.found_pattern(sounds)
    if named is None:
        raise InputError(
            "LL014",
            f"{root} holds {len(sounds):,} sounds without class folders, table of labels or labels in their names",
            where=str(root),
            help=f"put each class in a folder ({root.name}/yes/1.wav), or data.labels=FILE.csv, or data.audio.names=label_index",
        )
    return _by_names(named, spec)


def _telling(spec: DataSpec) -> tuple[str, ...]:
    """Names of label columns: those of transcripts, of classes, or of either while it is open which are wanted."""
    names = {"text": TRANSCRIPTS, "classes": LABEL_NAMES}
    return names.get(str(spec.target_kind), (*LABEL_NAMES, *TRANSCRIPTS))


def _by_names(named: sound_names.Named, spec: DataSpec) -> _Labelled:
    target = "label" if spec.target is None else str(spec.target)
    if target not in named.columns:
        raise InputError(
            "LL017",
            f"the file names have no field '{target}'; they have {', '.join(named.columns)}",
            where="data.target" if spec.target is not None else "data.audio.names",
            help=f"target={next(iter(named.columns))}",
        )
    columns = {name: np.array(values, dtype=object) for name, values in named.columns.items()}
    excluded = [(name, f"does not follow the pattern {spec.audio.names}") for name in named.strange]
    return _Labelled(named.names, named.columns[target], target, columns=columns, excluded=excluded, guesses=named.guesses)


def _examples(root: Path, labelled: _Labelled, problems: list[Problem], spec: DataSpec) -> Sounds:
    kind, guesses = _target_kind(labelled.target, Counter(labelled.labels), spec)
    heard = hear_all(root, labelled.names)
    if kind == "text":
        heard = [_sayable(one, str(text)) for one, text in zip(heard, labelled.labels, strict=True)]
    kept = [place for place, one in enumerate(heard) if one.reason is None]
    unheard = [(labelled.names[place], one.reason) for place, one in enumerate(heard) if one.reason is not None]
    excluded = sorted([*labelled.excluded, *unheard])
    _refuse_too_many(str(root), excluded, usable=len(kept), spec=spec)
    names, usable = [labelled.names[place] for place in kept], [heard[place] for place in kept]
    columns = {name: values[kept] for name, values in labelled.columns.items()}
    sides = np.array(labelled.sides)[kept] if labelled.sides is not None else _test_part(columns, spec, len(kept))
    targets = np.array([labelled.labels[place] for place in kept], dtype=object)
    facts = _facts(str(root), labelled, targets, usable, kind=kind)
    problems = [*left_out(excluded), *problems, *odd_sounds(names, usable)]
    facts = replace(facts, given_split=count_sides(sides), problems=tuple(problems), guesses=(*labelled.guesses, *guesses))
    return Sounds(facts, names, targets, sides, root, usable, columns, tuple(excluded))


def _sayable(one: Heard, text: str) -> Heard:
    """What was heard, unless its transcript has more characters than can be said in its time."""
    if one.reason is not None or len(text) <= FASTEST * one.seconds:
        return one
    return replace(one, reason=f"lasts {one.seconds:.1f} s, and its transcript has {len(text)} characters: more than can be said")


def _facts(where: str, labelled: _Labelled, targets: np.ndarray, heard: list[Heard], *, kind: str) -> Facts:
    facts = Facts("audio", where, len(targets), labelled.target, audio=audio_facts(heard))
    if kind == "text":
        return replace(facts, target_kind="text")
    counts = Counter(targets.tolist())
    if len(counts) < 2:
        raise InputError(
            "LL015",
            f"all {len(targets):,} sounds in {where} carry the one label '{targets[0]}'",
            where=where,
            help="add sounds of at least one other class, in a folder of its own",
        )
    classes = tuple(sorted(counts))
    return replace(facts, target_kind="classes", classes=classes, class_counts=tuple(counts[name] for name in classes))


def _target_kind(target: str, counts: Counter[str], spec: DataSpec) -> tuple[str, tuple[Guess, ...]]:
    """ "text" for what is said in each sound, "classes" for labels, with the evidence where it was guessed."""
    if spec.target_kind in ("text", "classes"):
        return str(spec.target_kind), ()
    if target.lower() in TRANSCRIPTS:
        return "text", (Guess(f"'{target}' is what is said", "the column's name", "task=classify_audio"),)
    total = sum(counts.values())
    if len(counts) > _WORDY * total:
        why = f"{len(counts):,} different texts in {total:,} sounds"
        return "text", (Guess(f"'{target}' is what is said", why, "task=classify_audio"),)
    return "classes", ()


def _test_part(columns: dict[str, np.ndarray], spec: DataSpec, count: int) -> np.ndarray | None:
    """(N,) "train" and "test" as data.audio.test says, or None. Raises InputError LL017 or LL027."""
    if not spec.audio.test:
        return None
    strange = [name for name in spec.audio.test if name not in columns]
    if strange:
        there = ", ".join(columns) or "none: name them by data.audio.names"
        raise InputError(
            "LL017", f"there is no column '{strange[0]}' beside the sounds", where="data.audio.test", help=f"there are: {there}"
        )
    said = {name: columns[name].astype(str) for name in spec.audio.test}
    wanted = {name: [str(value) for value in values] for name, values in spec.audio.test.items()}
    chosen = np.logical_and.reduce([np.isin(said[name], wanted[name]) for name in said])
    if not chosen.any() or chosen.all():
        name = next(iter(said))
        raise InputError(
            "LL027",
            f"data.audio.test puts {int(chosen.sum()):,} of {count:,} sounds in the test part",
            where="data.audio.test",
            help=f"values of '{name}': {', '.join(sorted(set(said[name]))[:8])}",
        )
    return np.where(chosen, "test", "train")


def _refuse_too_many(where: str, excluded: Sequence[tuple[str, str]], *, usable: int, spec: DataSpec) -> None:
    if not usable:
        name, reason = excluded[0]
        raise InputError(
            "LL002", f"none of the {len(excluded):,} sounds in {where} can be used: {name} {reason}", where=where, help="repair the files"
        )
    share = len(excluded) / (usable + len(excluded))
    if share <= spec.max_excluded:
        return
    listed = "; ".join(f"{name} {reason}" for name, reason in excluded[:3])
    more = f"; and {len(excluded) - 3:,} more" if len(excluded) > 3 else ""
    raise InputError(
        "LL003",
        f"{len(excluded):,} of {usable + len(excluded):,} sounds cannot be used, {spec.max_excluded:.1%} may be: {listed}{more}",
        where=where,
        help=f"repair or remove them, or leave them out with  data.max_excluded={math.ceil(share * 10_000) / 10_000:g}",
    )


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
