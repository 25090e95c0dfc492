"""A Spec on paper: its values as YAML, each key with its sentence as a comment, and which keys the user set."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from leadline.base.explain import specs_in
from leadline.base.sentence import first_sentence
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
    """The dotted keys the user set, down to single values.

    Of a block that could also be a word (`early_stop: auto`), the block's own key too.
    """
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
        elif _is_mapping(value) and value:
            yield f"{pad}{inline(key)}:"
            yield from lines(value, indent=indent + 1)
        else:
            yield f"{pad}{inline(key)}: {inline(value)}"


def commented_lines(spec: Spec, live: Collection[str], *, above: str = "", indent: int = 0) -> Iterator[str]:
    """Each key with its sentence; keys that are neither set nor in `live` (dotted) are commented out with their default.

    A block all of whose keys are commented out reads as null, which recipes take as its defaults.
    """
    pad, on = "  " * indent, given_keys(spec)
    for name, field in type(spec).model_fields.items():
        label, value = field.alias or name, getattr(spec, name)
        if isinstance(value, Spec):
            yield from [""] if indent == 0 else []
            yield _beside(f"{pad}{label}:", field.description or type(value).__doc__)
            yield from commented_lines(value, live, above=f"{above}{label}.", indent=indent + 1)
        else:
            hidden = "" if label in on or above + label in live else "# "
            plain = _plain(value)
            yield _beside(f"{pad}{hidden}{label}: {'null' if isinstance(plain, InMemory) else inline(plain)}", field.description)
    for key, value in (spec.model_extra or {}).items():
        yield f"{pad}{inline(key)}: {inline(_plain(value))}"


def without_empty_blocks(values: Mapping[str, Any], spec: type[BaseModel]) -> dict[str, Any]:
    """The values without the blocks that are null, at every level."""
    found = dict(values)
    for name, field in spec.model_fields.items():
        if name not in found or not _is_block(field):
            continue
        if found[name] is None:
            del found[name]
        elif _is_mapping(found[name]):
            found[name] = without_empty_blocks(found[name], specs_in(field.annotation)[0])
    return found


def inline(value: Any) -> str:
    """One value as YAML on one line, safe inside a list as well as after a key."""
    if _is_mapping(value):
        return "{" + ", ".join(f"{inline(str(key))}: {inline(inner)}" for key, inner in value.items()) + "}"
    if _is_list(value):
        return "[" + ", ".join(inline(inner) for inner in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return _text(value) if isinstance(value, str) else repr(value)


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
    if _is_mapping(value):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if _is_list(value):
        plain = [_plain(inner) for inner in value]
        return InMemory(type(value).__name__) if any(isinstance(inner, InMemory) for inner in plain) else plain
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return InMemory(type(value).__name__)


def _beside(text: str, about: str | None) -> str:
    """The text with the first sentence about it in the column of comments."""
    return f"{text:<{COMMENT_COLUMN - 1}} # {first_sentence(about)}" if about else text


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def _text(value: str) -> str:
    yaml: Any = YAML(typ="safe", pure=True)  # ruamel.yaml is only half typed
    yaml.default_flow_style = True
    yaml.width = 1_000_000_000
    yaml.allow_unicode = True
    if not value.isprintable():
        yaml.default_style = '"'  # the one style that keeps line breaks and control characters on one line
    stream = io.StringIO()
    yaml.dump([str(value)], stream)
    return stream.getvalue().strip()[1:-1]
