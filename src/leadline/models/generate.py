"""Writing with a network that foretells the next token: one token after the other, drawn or the likeliest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from leadline.models.undisturbed import undisturbed


@dataclass(frozen=True)
class Taste:
    """How the next token is chosen. temperature: logits are divided by it; 0 takes the likeliest. top_k: only the k likeliest may be drawn.

    top_p: only the likeliest that together have this chance (Holtzman et al. 2020).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None


def choose(logits_BV: Tensor, taste: Taste, generator: torch.Generator | None) -> Tensor:
    """(B,) ids drawn from logits (B, V), or the likeliest at temperature 0."""
    if taste.temperature == 0:
        return logits_BV.argmax(-1)
    logits = logits_BV.float() / taste.temperature
    if taste.top_k is not None and taste.top_k < logits.shape[-1]:
        least = logits.topk(taste.top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if taste.top_p is not None and taste.top_p < 1:
        logits = _likeliest_share(logits, taste.top_p)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


def _likeliest_share(logits: Tensor, share: float) -> Tensor:
    """Logits where all but the likeliest tokens, whose chances add up to `share`, are impossible; one always stays."""
    ordered, places = logits.sort(descending=True)
    chances = ordered.softmax(-1)
    beyond = chances.cumsum(-1) - chances >= share
    return logits.scatter(-1, places, ordered.masked_fill(beyond, float("-inf")))


class _Writer:
    """A network and what it has read so far."""

    def __init__(self, model: nn.Module) -> None:
        self.model: Any = model
        self.text: Tensor | None = None
        self.remembers = hasattr(model, "begin") and hasattr(model, "further")
        self.longest: int | None = getattr(model, "longest", None)
        self.memory: Any = None
        self.read_so_far = 0

    def read(self, ids: Tensor) -> Tensor:
        """(B, V) logits of what follows, after these ids, too."""
        self.text = ids if self.text is None else torch.cat([self.text, ids], dim=1)
        if not self.remembers:
            text = self.text if self.longest is None else self.text[:, -self.longest :]
            return self.model(text)[:, -1].float()
        new = ids
        is_full = self.longest is not None and self.memory is not None and self.read_so_far + ids.shape[1] > self.longest
        if self.memory is None or is_full:
            self.memory, self.read_so_far = self.model.begin(), 0
            new = self.text if self.longest is None else self.text[:, -(self.longest // 2 if is_full else self.longest) :]
        self.read_so_far += new.shape[1]
        return self.model.further(new, self.memory).float()


def generate(
    model: nn.Module,
    ids_BT: Tensor,
    *,
    most: int,
    taste: Taste,
    seed: int | None = None,
    end: int | None = None,
    never: tuple[int, ...] = (),
    on_token: Callable[[int], None] | None = None,
) -> list[list[int]]:
    """The new ids of each row, up to `end` (which is left out) or `most`; equal seeds give equal texts, None draws one.

    ids_BT: what is to be gone on with, T >= 1. A network with `begin` and `further` keeps what it has read (keys and values, or its state),
    and begins anew with the last half of it when that is longer than it was trained on; another reads all of it at each step.
    never: ids that are not written. on_token: hears each id of the first row as it is written.
    """
    generator = torch.Generator(ids_BT.device)
    generator.manual_seed(secrets.randbits(63) if seed is None else seed)
    page = _Page(len(ids_BT), end, on_token)
    with undisturbed(model):
        for chosen in _steps(model, ids_BT, most=most, taste=taste, generator=generator, never=never):
            page.take(chosen.tolist())
            if not page.open_rows:
                break
    return page.written


class _Page:
    """What was written of each row so far, and which rows go on."""

    def __init__(self, rows: int, end: int | None, on_token: Callable[[int], None] | None) -> None:
        self.written: list[list[int]] = [[] for _ in range(rows)]
        self.open_rows, self.end, self.on_token = set(range(rows)), end, on_token

    def take(self, tokens: list[int]) -> None:
        """The next token of each row; those that have ended are passed over."""
        self.open_rows -= {row for row in self.open_rows if tokens[row] == self.end}
        for row in self.open_rows:
            self.written[row].append(tokens[row])
        if 0 in self.open_rows and self.on_token is not None:
            self.on_token(tokens[0])


def _steps(
    model: nn.Module, ids: Tensor, *, most: int, taste: Taste, generator: torch.Generator, never: tuple[int, ...]
) -> Iterator[Tensor]:
    """(B,) next ids, one step after the other."""
    writer = _Writer(model)
    for _ in range(most):
        logits = writer.read(ids)
        if never:
            logits[:, list(never)] = float("-inf")
        chosen = choose(logits, taste, generator)
        yield chosen
        ids = chosen[:, None]
