"""The first sentence of a docstring, which lists, recipes and help show."""

from __future__ import annotations

import re


def first_sentence(text: str | None) -> str:
    """The first sentence of the text, on one line; all of it when no full stop ends it."""
    flat = " ".join((text or "").split())
    match = re.match(r"(.+?[.!?])(\s|$)", flat)
    return match[1] if match else flat
