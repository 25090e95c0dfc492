"""YAML 1.2, read safely and with line numbers: `1e-3` is a number, `no` is text, and a key given twice is an error."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode

from leadline.base.errors import InputError


@dataclass(frozen=True)
class Document:
    """A mapping read from YAML text. lines: from the path of a key to its line, counted from 1."""

    values: dict[str, Any]
    name: str
    lines: dict[tuple[str, ...], int]

    def where(self, path: tuple[str, ...]) -> str:
        """File and line of a key, or of the nearest block around it that stands in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.name}, line {self.lines[path[:length]]}"
        return self.name


def read_mapping(text: str, name: str) -> Document:
    """Read a YAML mapping; raises InputError LL034 with the line for bad YAML, a key given twice, or anything but a mapping."""
    try:
        values = _reader().load(text)
        node = _reader().compose(io.StringIO(text))
    except YAMLError as error:
        raise _bad(error, name) from None
    if values is None:
        return Document({}, name, {})
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else "text" if isinstance(values, str) else "a single value"
        raise InputError("LL034", f"{name} holds {kind}, not keys with values", where=f"{name}, line 1", help="leadline new  writes one")
    return Document(cast(dict[str, Any], values), name, dict(_lines(node, ())))


def read_value(text: str, name: str) -> Any:
    """One YAML value, as in `key=value` on the command line; raises InputError LL034. Text that is empty is empty text."""
    if text == "":
        return ""
    try:
        return _reader().load(text)
    except YAMLError as error:
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise InputError(
            "LL034", f"{name}={text}: {problem}", where="command line", help="put quotes around text with special signs"
        ) from None


def _reader() -> Any:  # ruamel.yaml is only half typed
    return YAML(typ="safe", pure=True)


def _lines(node: Any, above: tuple[str, ...]) -> list[tuple[tuple[str, ...], int]]:
    if not isinstance(node, MappingNode):
        return []
    found: list[tuple[tuple[str, ...], int]] = []
    pairs = cast(list[tuple[Any, Any]], cast(Any, node).value)
    for key, value in pairs:
        path = (*above, str(key.value))
        found.append((path, key.start_mark.line + 1))
        found.extend(_lines(value, path))
    return found


def _bad(error: YAMLError, name: str) -> InputError:
    mark: Any = cast(Any, error).problem_mark if isinstance(error, MarkedYAMLError) else None
    problem = (getattr(error, "problem", None) or str(error)).split("\n")[0]
    where = f"{name}, line {mark.line + 1}" if mark is not None else name
    if isinstance(error, DuplicateKeyError):
        key = problem.split('"')[1] if '"' in problem else "a key"
        return InputError("LL034", f"{name} holds '{key}' twice", where=where, help="keep one of the two, or put both parts under one")
    return InputError(
        "LL034", f"{name} is not valid YAML: {problem}", where=where, help="look for a missing colon, quote or indentation there"
    )
