"""`generate`: a run that foretells tokens writes on, from a beginning or from nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from leadline.base.errors import InputError
from leadline.flow.devices import resolve as resolve_device
from leadline.flow.predict import model_folder
from leadline.models.generate import Taste, generate
from leadline.record.ports import NextTokens, Tokens
from leadline.ship import package
from leadline.ship.package import Package
from leadline.text.tokenizer import Tokenizer


def write_on(
    run: Path,
    *,
    prompt: str | None = None,
    count: int = 1,
    most: int = 200,
    taste: Taste = Taste(),  # noqa: B008 - frozen
    seed: int | None = None,
    device: str = "auto",
    on_text: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """`count` texts: [{"prompt", "text", "tokens"}]. prompt: how each begins; None: as texts of the training data do.

    on_text: hears the first text piece by piece. Raises InputError LL011 (no run), LL030 (a network that does not write), LL022.
    """
    loaded = package.load(model_folder(run), device=resolve_device(device))
    if not isinstance(loaded.task.gives, NextTokens) or not isinstance(loaded.preparer.gives, Tokens):
        raise InputError(
            "LL030", f"{run} does task '{loaded.task.name}', which writes nothing", where=str(run), help="leadline predict RUN"
        )
    return generated(loaded, prompt=prompt, count=count, most=most, taste=taste, seed=seed, on_text=on_text)


def generated(
    loaded: Package,
    *,
    prompt: str | None,
    count: int,
    most: int,
    taste: Taste,
    seed: int | None,
    on_text: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """The texts of a loaded package; see `write_on`."""
    tokenizer = loaded.preparer.texts()
    assert tokenizer is not None
    ids = start_of(loaded, prompt, tokenizer)
    device = next(loaded.model.parameters()).device
    never = tuple(
        each for each in (tokenizer.padding, tokenizer.unknown, tokenizer.begin, tokenizer.mask) if each not in (None, tokenizer.end)
    )
    pieces = _Pieces(tokenizer, on_text)
    rows = generate(
        loaded.model,
        torch.tensor([ids] * count, device=device),
        most=most,
        taste=taste,
        seed=seed,
        end=tokenizer.end,
        never=never,  # type: ignore[arg-type]
        on_token=None if on_text is None else pieces.take,
    )
    return [{"prompt": prompt or "", "text": tokenizer.decode(row), "tokens": len(row)} for row in rows]


def start_of(loaded: Package, prompt: str | None, tokenizer: Tokenizer) -> list[int]:
    """The ids that a text begins with: the beginning of a text of its own, and the prompt."""
    ids = [] if prompt is None else tokenizer.encode([prompt])[0]
    is_own = bool(getattr(loaded.preparer, "whole", False))
    if is_own and tokenizer.begin is not None:
        return [tokenizer.begin, *ids]
    if not ids:
        ids = tokenizer.encode(["\n"])[0] or [tokenizer.padding if tokenizer.begin is None else tokenizer.begin]
    return ids


class _Pieces:
    """Ids to text as they come; a character that is not whole yet waits for its other bytes."""

    def __init__(self, tokenizer: Tokenizer, say: Callable[[str], None] | None) -> None:
        self.tokenizer, self.say = tokenizer, say
        self.ids: list[int] = []
        self.told = ""

    def take(self, token: int) -> None:
        """Hear one more id, and say what of the text is new and whole."""
        self.ids.append(token)
        text = self.tokenizer.decode(self.ids)
        if self.say is not None and not text.endswith("\ufffd"):
            self.say(text[len(self.told) :])
            self.told = text
