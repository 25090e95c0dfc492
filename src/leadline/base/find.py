"""From a name to the part: a name is a file, found by the one lazy import of the whole tree."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.base.nearest import did_you_mean
from leadline.base.sentence import first_sentence

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

WORDS = {
    "models.zoo": ("model", "leadline list models"),
    "tasks.kinds": ("task", "leadline list tasks"),
    "data.sources": ("source", "leadline list sources"),
    "evaluate.metrics": ("metric", "leadline list metrics"),
    "data.preparers": ("preparer", "leadline list tasks"),
    "text.tokenizers": ("tokenizer", "leadline list tokenizers"),
}
"""What the parts of a shelf are called, and the command that lists them."""

ENDINGS = {"data.preparers": "preparer"}
"""What the classes of a shelf end with, where the name alone is another thing's (Images is a port)."""

# Which extra brings a package: names of the import, not of the distribution.
EXTRAS = {
    "torchvision": "vision",
    "timm": "vision",
    "datasets": "text",
    "huggingface_hub": "text",
    "tokenizers": "text",
    "transformers": "text",
    "peft": "text",
    "sacrebleu": "text",
    "rouge_score": "text",
    "soundfile": "audio",
    "jiwer": "audio",
}


def names(shelf: str) -> list[str]:
    """The parts on a shelf ("models.zoo"), by file name, without importing any."""
    folder = Path(__file__).parent.parent.joinpath(*shelf.split("."))
    return sorted(info.name for info in pkgutil.iter_modules([str(folder)]) if not info.name.startswith("_"))


def find(shelf: str, name: str) -> Any:
    """The part called `name` on `shelf`: the one public class defined in that file that the shelf's contract names.

    Raises InputError LL023 with the nearest name. The name is looked up among the files, never imported from a recipe as it stands.
    """
    check_name(shelf, name)
    return _part(module(f"leadline.{shelf}.{name}"), name + ENDINGS.get(shelf, ""))


def check_name(shelf: str, name: str, *, where: str | None = None) -> None:
    """Raise InputError LL023 with the nearest name when no part on `shelf` is called `name`; imports nothing."""
    known = names(shelf)
    if not NAME.fullmatch(name) or name not in known:
        kind, verb = WORDS.get(shelf, (shelf, "leadline --help"))
        hint = did_you_mean(name, known, else_say=f"{verb}  shows what there is")
        raise InputError("LL023", f"there is no {kind} '{name}'", where=where or kind, help=hint)


def module(path: str) -> Any:
    """Import a module of leadline or of an optional package; a missing extra becomes InputError LL024 with the command to install it."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in EXTRAS:
            raise
        raise InputError(
            "LL024",
            f"'{path.split('.')[-1]}' needs the package {missing}, which is not installed",
            help=f'pip install "leadline[{EXTRAS[missing]}]"',
        ) from None


def _part(source: Any, name: str) -> Any:
    wanted = name.replace("_", "")
    for label, member in inspect.getmembers(source, inspect.isclass):
        if label.lower() == wanted and member.__module__ == source.__name__:
            return member
    raise AttributeError(f"{source.__name__} defines no class named like its file ({name})")


def sentences(shelf: str) -> dict[str, str]:
    """For every part of a shelf the first sentence of its docstring, read from the source and not by importing it."""
    folder = Path(__file__).parent.parent.joinpath(*shelf.split("."))
    return {name: _sentence(folder / f"{name}.py", name) for name in names(shelf)}


def _sentence(path: Path, name: str) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wanted = name.replace("_", "")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.lower() == wanted]
    return first_sentence(ast.get_docstring(classes[0] if classes else tree))
