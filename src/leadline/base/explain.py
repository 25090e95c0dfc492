"""A bad value in plain words: the key, what it was, what it must be, and the nearest valid choice."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from leadline.base.errors import InputError
from leadline.base.nearest import nearest
from leadline.base.spec import Where

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
    dict: "a block of keys and values",
}


@dataclass(frozen=True)
class _Place:
    """What stands at a key: its path without pydantic's names for the branches of unions, its type and its limits."""

    path: tuple[str, ...]
    annotation: Any
    limits: tuple[Any, ...] = ()
    branch: type[BaseModel] | None = None
    """The block that pydantic tried, where the annotation is a union."""


def explain(error: ValidationError, spec: type[BaseModel], where: Where, *, above: tuple[str, ...] = ()) -> InputError:
    """Turn pydantic's complaints into one of ours: LL021 for an unknown key, LL022 for a bad value."""
    found = [(_walk(spec, _of_value(item)), item) for item in error.errors(include_url=False)]
    start = found[0][0].path
    # Of the branches of a union, the one that looks deepest into the value is the one the user had in mind.
    place, item = max((pair for pair in found if pair[0].path[: len(start)] == start), key=lambda pair: len(pair[0].path))
    if item["type"] in ("extra_forbidden", "invalid_key"):
        return _unknown_key(place.path, spec, where, above=above)
    key = ".".join((*above, *place.path)) or "the recipe"
    return InputError(
        "LL022",
        f"{key} = {_shown(item['input'])}: {_complaint(place, item)}",
        where=_where(where, (*above, *place.path)),
        help=_remedy(place, key, item["input"]),
    )


def describe(annotation: Any, limits: tuple[Any, ...] = ()) -> str:
    """What a value must be, in words: "a whole number (at least 1) or auto"."""
    if get_origin(annotation) is typing.Annotated:
        inner, *extra = get_args(annotation)
        found = [limit for item in extra for limit in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return describe(inner, (*limits, *found))
    if get_origin(annotation) in (Union, UnionType):
        words = [describe(part, limits) for part in get_args(annotation)]
        return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    if get_origin(annotation) is Literal:
        choices = [str(choice) for choice in get_args(annotation)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a block of settings"
    if get_origin(annotation) in (tuple, list):
        return _list(annotation)
    words = _WORDS.get(get_origin(annotation) or annotation, "another kind of value")
    return words + _limits(limits) if annotation in (int, float) else words


def specs_in(annotation: Any) -> list[type[BaseModel]]:
    """The Specs that an annotation allows, walking through unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in specs_in(inner)]


def _walk(spec: type[BaseModel], loc: tuple[int | str, ...]) -> _Place:
    place = _Place((), spec)
    for part in loc:
        place = _step(place, part)
    return place


def _of_value(item: Any) -> tuple[int | str, ...]:
    """Where the wrong value stands: for a list that is too short the list, not the item that is not there."""
    return item["loc"][:-1] if item["type"] == "missing" and isinstance(item["loc"][-1], int) else item["loc"]


def _step(place: _Place, part: int | str) -> _Place:
    path = (*place.path, str(part))
    here: Any = place.annotation
    if isinstance(part, int):
        return _Place(path, (get_args(here) or (Any,))[0])
    models = [place.branch] if place.branch else specs_in(here)
    for model in models:
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                return _Place(path, field.annotation, tuple(field.metadata))
    if place.branch or (isinstance(here, type) and issubclass(here, BaseModel)):
        return _Place(path, Any)  # a key that does not exist
    if get_origin(here) is dict:
        return _Place(path, get_args(here)[1])
    branch = next((model for model in models if model.__name__ == part), None)
    return _Place(place.path, place.annotation, place.limits, branch)


def _list(annotation: Any) -> str:
    inner = get_args(annotation)
    word = describe(inner[0]) if inner else "value"
    for one, many in (("a whole number", "whole numbers"), ("a number", "numbers"), ("text", "texts")):
        word = many + word.removeprefix(one) if word.startswith(one) else word
    count = "" if not inner or Ellipsis in inner or get_origin(annotation) is list else f"{len(inner)} "
    return f"a list of {count}{word}"


def _limits(limits: tuple[Any, ...]) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    parts = [f"{word} {getattr(limit, name):g}" for limit in limits for name, word in words.items() if hasattr(limit, name)]
    return f" ({' and '.join(parts)})" if parts else ""


def _complaint(place: _Place, item: Any) -> str:
    if item["type"] in ("value_error", "assertion_error"):
        return item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if item["type"] == "missing" and not isinstance(item["loc"][-1], int):
        return "this key is needed"
    return f"it must be {describe(place.annotation, place.limits)}"


def _remedy(place: _Place, key: str, value: Any) -> str:
    inside = sorted({name for model in specs_in(place.annotation) for name in model.model_fields})
    if "name" in inside and isinstance(value, str):
        return f"did you mean  {key}.name={value}  ?"
    close = nearest(value, _choices(place.annotation)) if isinstance(value, str) else None
    if close:
        return f"did you mean  {close}  ?"
    if inside:
        return f"keys there: {', '.join(inside)}"
    return f"change it, or leave {key} out for the default"


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for inner in get_args(annotation) for choice in _choices(inner)]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown_key(path: tuple[str, ...], spec: type[BaseModel], where: Where, *, above: tuple[str, ...]) -> InputError:
    here, key = path[:-1], path[-1]
    known = {name: (*here, name) for name in _keys(specs_in(_walk(spec, here).annotation))}
    elsewhere = {place[-1]: place for place in reversed(_paths(spec))}
    # A key that is right but for its block, then a misspelt one of this block, then a misspelt one of another.
    meant = elsewhere.get(key) or known.get(nearest(key, known) or "") or elsewhere.get(nearest(key, elsewhere) or "")
    return InputError(
        "LL021",
        f"unknown key '{key}' at {'.'.join((*above, *here)) or 'the top level'}",
        where=_where(where, (*above, *path)),
        help=f"did you mean  {'.'.join((*above, *meant))}  ?" if meant else f"keys there: {', '.join(known)}",
    )


def _keys(models: list[type[BaseModel]]) -> list[str]:
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _paths(spec: type[BaseModel], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [(*above, field.alias or name) for name, field in spec.model_fields.items()]
    inner = [(name, model) for name, field in spec.model_fields.items() for model in specs_in(field.annotation)]
    return found + [path for name, model in inner for path in _paths(model, (*above, name))]


def _where(where: Where, path: tuple[str, ...]) -> str:
    return where if isinstance(where, str) else where(path)
