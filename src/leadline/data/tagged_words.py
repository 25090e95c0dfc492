"""Sentences of tagged words, read from files of one word a line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data.settings import DataSpec
from leadline.data.text_examples import TextExamples, read_text, side_of, split_counts, text_facts
from leadline.record.facts import Facts, Guess

Sentence = tuple[tuple[str, ...], tuple[str, ...]]


def open_tagged(path: Path, spec: DataSpec, *, endings: tuple[str, ...]) -> TextExamples:
    """All sentences of a file, or of a folder's files; each file is a side where its name says so."""
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.name.lower().endswith(endings))
    items: list[Sentence] = []
    names: list[str] = []
    sides: list[str | None] = []
    guesses: list[Guess] = []
    for file in files:
        text, guess = read_text(file, spec.encoding)
        found = sentences(text, file)
        items += [sentence for _, sentence in found]
        names += [f"{file.name}:{line}" for line, _ in found]
        sides += [side_of(file)] * len(found)
        guesses += [guess] if guess else []
    given = None if None in sides else np.array(sides)
    counts = Counter(tag for _, tags in items for tag in tags)
    if len(counts) < 2:
        only = next(iter(counts), "none")
        raise InputError("LL015", f"all words of {path.name} have the tag {only!r}", where=str(path), help="tag some words")
    _known_in_training(items, given, path)
    targets = np.empty(len(items), object)
    targets[:] = [tags for _, tags in items]
    classes = tuple(sorted(counts, key=lambda tag: (tag != "O", tag)))
    facts = Facts(
        "text",
        path.stem,
        len(items),
        target="tag",
        target_kind="tags",
        classes=classes,
        class_counts=tuple(counts[tag] for tag in classes),
        text=text_facts("words", [" ".join(words) for words, _ in items]),
        given_split=split_counts(None if given is None else given.tolist()),
        guesses=tuple(guesses),
    )
    return TextExamples(items, facts, names=names, targets=targets, given_split=given)


def sentences(text: str, file: Path) -> list[tuple[int, Sentence]]:
    """(number of the first line, words and tags) of each sentence. Raises InputError LL013 that names lines without a tag."""
    found: list[tuple[int, Sentence]] = []
    words: list[str] = []
    tags: list[str] = []
    bad: list[str] = []
    first = 1
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        cells = line.split("\t") if "\t" in line.strip() else line.split()
        if not line.strip() or line.startswith(("-DOCSTART-", "# ")):
            found += [(first, (tuple(words), tuple(tags)))] if words else []
            words, tags = [], []
            continue
        first = first if words else number
        if len(cells) < 2 or not cells[-1].strip():
            bad.append(f"line {number} is {line.strip()[:40]!r}")
            continue
        words.append(cells[0].strip() or "\ufffd")
        tags.append(cells[-1].strip())
    if bad:
        text = f"{len(bad):,} lines of {file.name} have no tag: {', '.join(bad[:3])}"
        raise InputError("LL013", text, where=str(file), help="each line holds a word, a tab, and its tag; an empty line ends a sentence")
    if not found:
        raise InputError("LL002", f"{file.name} holds no words", where=str(file), help="one word and its tag a line")
    return found


def _known_in_training(items: list[Sentence], given: np.ndarray | None, path: Path) -> None:
    """Refuse tags that validation or test ask for and training never shows."""
    if given is None:
        return
    seen = {tag for (_, tags), side in zip(items, given, strict=True) if side == "train" for tag in tags}
    others = sorted({tag for _, tags in items for tag in tags} - seen)
    if others:
        text = f"{len(others)} tags stand in validation or test, and never in training: {', '.join(others[:5])}"
        raise InputError("LL029", text, where=str(path), help="data.split.given=false cuts anew")
