"""Did you mean: the choice that a misspelt word most likely stands for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` most likely meant, or None when nothing is close."""
    lowered = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str], *, else_say: str | None = None) -> str:
    """The help line for a word that is none of `choices`: the nearest one, or `else_say`, or all of them."""
    known = list(choices)
    close = nearest(word, known)
    if close:
        return f"did you mean  {close}  ?"
    return else_say or f"there is: {', '.join(known)}"
