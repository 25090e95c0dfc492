"""From the words after a verb to a checked recipe: one target, and key=value pairs."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leadline.base.errors import InputError

if TYPE_CHECKING:
    from leadline.recipe import Recipe

PAIR = re.compile(r"[A-Za-z_][\w.-]*=")
argument = click.argument("words", nargs=-1, metavar="[TARGET] [KEY=VALUE]...")


def sort(words: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """The target, and the key=value words; InputError LL035 for two targets. A file whose name holds a = is a target."""
    pairs = [word for word in words if PAIR.match(word) and not Path(word).exists()]
    targets = [word for word in words if word not in pairs]
    if len(targets) > 1:
        raise InputError(
            "LL035",
            f"two targets: {targets[0]!r} and {targets[1]!r}",
            where="command line",
            help="name one; settings are key=value, and names with spaces stand in quotes",
        )
    return (targets[0] if targets else None), pairs


def recipe_of(words: tuple[str, ...], *, seed: int | None = None) -> Recipe:
    """The recipe that the words describe, its data known to be there. Raises InputError before anything heavy is imported."""
    from leadline import recipe

    target, pairs = sort(words)
    pairs += [f"train.seed={seed}"] if seed is not None else []
    if target is None and not any(pair.startswith(("data.source=", "data={")) for pair in pairs):
        raise InputError("LL035", "there is no target: data or a recipe", where="command line", help="leadline train photos/")
    start = recipe.Recipe() if target is None else recipe.from_target(target)
    _one_source(start, target, pairs)
    found = recipe.override(start, pairs)
    _is_there(found)
    return found


def _one_source(start: Recipe, target: str | None, pairs: list[str]) -> None:
    """Data named as the target and another data.source cannot both hold; a recipe's source may be replaced."""
    named = [pair for pair in pairs if pair.startswith("data.source=")]
    if target is not None and start.data.source == target and named and named[0] != f"data.source={target}":
        raise InputError(
            "LL030", f"the target {target} and {named[0]} contradict each other", where="command line", help="give one of the two"
        )


def _is_there(found: Recipe) -> None:
    from leadline.data.source import recognise

    source: Any = found.data.source
    if source is None:
        raise InputError("LL001", "the recipe names no data", where="data.source", help="data.source=PATH")
    if found.data.kind is None:
        recognise(source)


def again(words: tuple[str, ...], *, seed: int | None = None) -> list[str]:
    """The same words for the `Next:` line."""
    return [*words, *([] if seed is None else ["--seed", str(seed)])]


def command_line() -> str:
    """The command as it was typed, for run.json."""
    return shlex.join(["leadline", *sys.argv[1:]])


def check_out(out: Path | None) -> None:
    """Refuse a folder that holds a run (LL009) before anything heavy is imported."""
    if out is not None and (out / "run.json").exists():
        raise InputError("LL009", f"{out} holds a run already", where=f"--out {out}", help=f"leadline resume {out}   or another --out")


def check_data(data: str | None) -> None:
    """Refuse data that is not there (LL001, LL002, LL004) before anything heavy is imported."""
    if data is not None:
        from leadline.data.source import recognise

        recognise(data)


def check_inputs(inputs: tuple[str, ...]) -> None:
    """Refuse files and folders that are not there (LL001) before anything heavy is imported; words with spaces between may be a text."""
    for name in inputs:
        if " " not in name.strip() and not Path(name).exists():
            help = "pictures, folders of pictures, sounds, tables, text files, or a text in quotes"
            raise InputError("LL001", f"there is no file or folder {name}", where=name, help=help)
