"""Settings: one frozen pydantic Spec beside the code that obeys them; it serves recipe, CLI, schema, studio form and handbook."""

from __future__ import annotations

import difflib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from leadline.base.errors import InputError


class Spec(BaseModel):
    """A block of settings: frozen, typed, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True, protected_namespaces=())

    @classmethod
    def read(cls, values: dict[str, Any], where: str) -> Self:
        """Build the Spec from plain values; raises one InputError (LL021 or LL022) that names key, value and the nearest valid choice."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise explain(error, cls, where) from None


def nearest(word: str, choices: list[str] | tuple[str, ...]) -> str | None:
    """The choice that `word` most likely meant, or None."""
    lowered = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5)
    return lowered[found[0]] if found else None


def explain(error: ValidationError, spec: type[BaseModel], where: str) -> InputError:
    """Turn pydantic's first complaint into our form: LL021 for an unknown key, LL022 for a bad value."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return _unknown_key(path, spec, where)
    key = ".".join(path) or "recipe"
    value: Any = first["input"]
    problem = first["msg"].removeprefix("Value error, ")
    return InputError(
        "LL022", f"{key} = {value!r}: {problem[0].lower()}{problem[1:]}", where=where, help=f"change it, or leave {key} out for the default"
    )


def _unknown_key(path: list[str], spec: type[BaseModel], where: str) -> InputError:
    known = _fields_at(spec, path[:-1])
    close = nearest(path[-1], known)
    here = ".".join(path[:-1]) or "the top level"
    hint = f"did you mean  {'.'.join([*path[:-1], close])}  ?" if close else f"keys there: {', '.join(known)}"
    return InputError("LL021", f"unknown key '{path[-1]}' at {here}", where=where, help=hint)


def _fields_at(spec: type[BaseModel], path: list[str]) -> list[str]:
    """The field names of the Spec that stands at `path`, walking through unions."""
    current = [spec]
    for part in path:
        fields = [model.model_fields[part].annotation for model in current if part in model.model_fields]
        current = [found for annotation in fields for found in _specs_in(annotation)] or current
    return sorted({name for model in current for name in model.model_fields})


def _specs_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _specs_in(inner)]
