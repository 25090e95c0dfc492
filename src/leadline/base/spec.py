"""Settings: one frozen pydantic Spec beside the code that obeys them; it serves recipe, CLI, schema, studio form and handbook."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from leadline.base.nearest import nearest as nearest

Where = str | Callable[[tuple[str, ...]], str]
"""Where values stand: words, or a function from the path of a key to words (such as a file and its line)."""


class Spec(BaseModel):
    """A block of settings: frozen, typed, and closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, values: Any) -> Any:
        """Python counts True as 1, so `epochs: true` would train one epoch; as text it is refused like any other word."""
        if not isinstance(values, dict):
            return values
        numeric = _fields_of_numbers(cls)
        given = cast(dict[str, Any], values)
        return {key: str(value).lower() if isinstance(value, bool) and key in numeric else value for key, value in given.items()}

    @classmethod
    def read(cls, values: dict[str, Any], where: Where, *, above: tuple[str, ...] = ()) -> Self:
        """Build the Spec from plain values; raises one InputError (LL021 or LL022) that names key, value and the nearest valid choice.

        above: the keys of the blocks around this one, for the message.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # Imported here: explaining needs Specs, and only a refusal needs explaining.
            from leadline.base.explain import explain

            raise explain(error, cls, where, above=above) from None


@cache
def _fields_of_numbers(spec: type[BaseModel]) -> frozenset[str]:
    kinds = {name: _atoms(field.annotation) for name, field in spec.model_fields.items()}
    return frozenset(name for name, atoms in kinds.items() if atoms & {int, float} and bool not in atoms)


def _atoms(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    return {annotation} if not inner else {atom for part in inner if not isinstance(part, str) for atom in _atoms(part)}
