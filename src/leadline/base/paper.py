"""A Spec on paper: its values as YAML, each key with its sentence as a comment, and which keys the user set."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from leadline.base.explain import specs_in
from leadline.base.spec import Spec

COMMENT_COLUMN = 38  # most keys with their default end before it


def given(spec: Spec) -> dict[str, Any]:
    """The values the user set, as nested plain dicts under the names users write; objects are passed on untouched."""
    fields = type(spec).model_fields
    found: dict[str, Any] = {}
    for name in fields:
        if name in spec.model_fields_set:
            value = getattr(spec, name)
            found[fields[name].alias or name] = given(value) if isinstance(value, Spec) else value
    return {**found, **(spec.model_extra or {})}


def given_keys(spec: Spec) -> set[str]:
    """The dotted keys the user set, down to single values. Of a block that could also be a word (`early_stop: auto`), the block's key too."""
    return set(_given_keys(spec, ""))


def values(spec: Spec) -> dict[str, Any]:
    """Every value, set or default, as nested plain dicts of YAML kinds; an object in memory becomes an `InMemory` note."""
    fields = type(spec).model_fields
    found = {field.alias or name: _plain(getattr(spec, name)) for name, field in fields.items()}
    return {**found, **{key: _plain(value) for key, value in (spec.model_extra or {}).items()}}


class InMemory(str):
    """The type of an object that cannot be written to a file; on paper it is null with a comment."""


def lines(content: Mapping[str, Any], *, indent: int = 0) -> Iterator[str]:
    """The values as block YAML, one key a line."""
    pad = "  " * indent
    for key, value in content.items():
        if isinstance(value, InMemory):
            yield f"{pad}{inline(key)}: null  # was {value} in memory, which a file cannot hold"
        elif isinstance(value, Mapping) and value:
            yield f"{pad}{inline(key)}:"
            yield from lines(value, indent=indent + 1)
        else:
            yield f"{pad}{inline(key)}: {inline(value)}"


def commented_lines(spec: Spec, live: Collection[str], *, above: str = "", indent: int = 0) -> Iterator[str]:
    """Each key with its sentence; keys that are neither set nor in `live` (dotted) are commented out with their default."""
    keys = given_keys(spec) | set(live)
    for name, field in type(spec).model_fields.items():
        dotted = above + (field.alias or name)
        value = getattr(spec, name)
        if isinstance(value, Spec):
            inside = {key.removeprefix(f"{dotted}.") for key in live if key.startswith(f"{dotted}.")}
            on = bool(given_keys(value) or inside)
            yield from _block(value, field, inside, on=on, label=field.alias or name, indent=indent)
        else:
            yield _line(field.alias or name, _plain(value), field, on=dotted.removeprefix(above) in keys, indent=indent)
    for key, value in (spec.model_extra or {}).items():
        yield f"{'  ' * indent}{inline(key)}: {inline(_plain(value))}"


def inline(value: Any) -> str:
    """One value as YAML on one line, safe inside a list as well as after a key."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{inline(str(key))}: {inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(inner) for inner in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return _text(value) if isinstance(value, str) else repr(value)


def sentence(text: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    flat = " ".join((text or "").split())
    match = re.match(r"(.+?[.!?])(\s|$)", flat)
    return match[1] if match else flat


def _given_keys(spec: Spec, above: str) -> Iterator[str]:
    for name, field in type(spec).model_fields.items():
        if name not in spec.model_fields_set:
            continue
        value, key = getattr(spec, name), above + (field.alias or name)
        if not isinstance(value, Spec) or not _is_block(field):
            yield key
        if isinstance(value, Spec):
            yield from _given_keys(value, f"{key}.")
    yield from (above + key for key in spec.model_extra or {})


def _is_block(field: FieldInfo) -> bool:
    return [field.annotation] == specs_in(field.annotation)


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return values(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        plain = [_plain(inner) for inner in value]
        return InMemory(type(value).__name__) if any(isinstance(inner, InMemory) for inner in plain) else plain
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return InMemory(type(value).__name__)


def _block(spec: Spec, field: FieldInfo, live: set[str], *, on: bool, label: str, indent: int) -> Iterator[str]:
    head = f"{'  ' * indent}{'' if on else '# '}{label}:"
    if indent == 0:
        yield ""
    yield f"{head:<{COMMENT_COLUMN}}# {sentence(field.description or type(spec).__doc__)}"
    inner = commented_lines(spec, live, indent=indent + 1)
    yield from inner if on else (_behind(line, indent) for line in inner)


def _behind(line: str, indent: int) -> str:
    """A line of a block that is itself commented out: one more # in front, so that taking it away leaves the inner one."""
    pad = "  " * indent
    return f"{pad}# {line.removeprefix(pad)}"


def _line(label: str, value: Any, field: FieldInfo, *, on: bool, indent: int) -> str:
    text = f"{'  ' * indent}{'' if on else '# '}{label}: {'null' if isinstance(value, InMemory) else inline(value)}"
    about = sentence(field.description)
    return f"{text:<{COMMENT_COLUMN - 1}} # {about}" if about else text


def _text(value: str) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = 1_000_000_000
    yaml.allow_unicode = True
    if not value.isprintable():
        yaml.default_style = '"'  # the one style that keeps line breaks and control characters on one line
    stream = io.StringIO()
    yaml.dump([str(value)], stream)
    return stream.getvalue().strip()[1:-1]
