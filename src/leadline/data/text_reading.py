"""Running text cut into pieces, and files of one text a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data.encoding import open_bytes
from leadline.data.settings import DataSpec
from leadline.data.text_examples import TextExamples, kept_or_refused, read_text, side_of, split_counts, text_facts
from leadline.record.facts import Facts, Guess

WINDOW = 256  # tokens that a network sees at a time under auto
SIGNS = 4  # characters that a token of words, bpe or wordpiece stands for, about
SHARES = (("train", 0.9), ("val", 0.05), ("test", 0.05))
FEWEST = 3  # pieces: one for each side
SHORT_LINE = 60  # characters; lines that are all shorter, and many, are texts of their own
MANY_LINES = 100
SAMPLE = 1 << 14  # bytes looked at
FIRST_LINES = 50
SEPARATORS = ("\t", ",", ";", "|")


def open_corpus(path: Path, spec: DataSpec) -> TextExamples:
    """Running text as pieces, or lines as texts; see `data.sources.text_corpus`."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    files = [file for file in files if not path.is_dir() or side_of(file)]
    read = [(file, *read_text(file, spec.encoding)) for file in files]
    guesses = tuple(guess for _, _, guess in read if guess is not None)
    texts = [(side_of(file) if path.is_dir() else None, text) for file, text, _ in read]
    if len(texts) == 1 and _is_list(texts[0][1]):
        return _lines(path, texts[0][1], spec, guesses)
    return _pieces(path, texts, spec, guesses)


def looks_like_table(path: Path) -> bool:
    """Whether the first lines all hold the same number of some separator, as those of a table do."""
    with open_bytes(path) as stream:
        lines = [line for line in stream.read(SAMPLE).decode("utf-8", "replace").split("\n")[:-1] if line.strip()][:FIRST_LINES]
    return any(len({line.count(sign) for line in lines}) == 1 and lines[0].count(sign) > 0 for sign in SEPARATORS if lines)


def _is_list(text: str) -> bool:
    """Many lines, each short, none empty between them, few of them sentences that go on."""
    lines = text.rstrip("\n").split("\n")
    return len(lines) >= MANY_LINES and max(map(len, lines)) <= SHORT_LINE and all(line.strip() for line in lines[:MANY_LINES])


def _lines(path: Path, text: str, spec: DataSpec, guesses: tuple[Guess, ...]) -> TextExamples:
    lines = text.rstrip("\n").split("\n")
    names = [f"{path.name}:{number}" for number in range(1, len(lines) + 1)]
    is_empty = [not line.strip() for line in lines]
    kept, problems = kept_or_refused(lines, is_empty, names, most=spec.max_excluded, what="are empty lines", where=str(path))
    items = [lines[place] for place in kept]
    read = Guess(
        "one text a line", f"{len(lines):,} lines of at most {max(map(len, lines))} characters", "data.kind=text_corpus reads it so"
    )
    facts = Facts("text", path.stem, len(items), text=text_facts("documents", items), problems=problems, guesses=(read, *guesses))
    return TextExamples(items, facts, names=[names[place] for place in kept])


def _pieces(path: Path, texts: list[tuple[str | None, str]], spec: DataSpec, guesses: tuple[Guess, ...]) -> TextExamples:
    size = window_of(spec)
    parts = (
        _by_place(texts[0][1], size, path) if len(texts) == 1 and texts[0][0] is None else [(side or "train", 0, t) for side, t in texts]
    )
    items, sides, names = [], [], []
    for side, offset, text in parts:
        for start in range(0, max(1, len(text) - 1), size):
            items.append(text[start : start + size + 1])
            sides.append(side)
            names.append(f"{path.name}:{offset + start}")
    counts = split_counts(sides)
    how = f"pieces of {size:,} characters, each foretold once; parts by place, one behind the other"
    made = Guess("running text", how, "data.text.length=N")
    facts = Facts("text", path.stem, len(items), text=text_facts("corpus", items), given_split=counts, guesses=(made, *guesses))
    return TextExamples(items, facts, names=names, given_split=np.array(sides))


def window_of(spec: DataSpec) -> int:
    """Characters of a piece: as many as the tokens that the network sees at a time stand for."""
    length = WINDOW if spec.text.length == "auto" else spec.text.length
    return length if spec.text.tokenizer in ("auto", "characters", "bytes") else SIGNS * length


def _by_place(text: str, size: int, path: Path) -> list[tuple[str, int, str]]:
    """(side, offset, text) of the three parts, in whole pieces."""
    pieces = len(text) // size
    if pieces < FEWEST:
        raise InputError(
            "LL027",
            f"{path.name} holds {len(text):,} characters, and pieces of {size:,} make {pieces} of them: too few to train and test on",
            where=str(path),
            help=f"give more text, or  data.text.length={max(8, len(text) // 40)}",
        )
    tests = max(1, round(pieces * SHARES[2][1]))
    vals = max(1, round(pieces * SHARES[1][1]))
    first, second = (pieces - vals - tests) * size, (pieces - tests) * size
    return [("train", 0, text[:first]), ("val", first, text[first:second]), ("test", second, text[second:])]
