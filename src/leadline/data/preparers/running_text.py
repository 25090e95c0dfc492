"""Texts to be written on: each token is to be foretold from those before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from leadline.data.prepare import Preparer
from leadline.data.texts import filled, length_for, lengths_in, tokenizer_for
from leadline.record.facts import Guess
from leadline.record.ports import Port, Tokens
from leadline.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples

NOT_ASKED = -100  # targets that do not count, as torch's cross-entropy has it


@dataclass(frozen=True)
class RunningTextPreparer(Preparer):
    """Ids (B, length) and, as targets, the ids that follow them; padding is not asked for.

    Pieces of running text come as they are, one token longer than `length`. A text of its own (a name, a review) begins with `begin` and
    ends with `end`, so that the network learns to start and to stop.
    """

    kind: ClassVar[str] = "running_text"
    varies: ClassVar[bool] = True

    tokenizer: Tokenizer
    length: int
    whole: bool
    guesses: tuple[Guess, ...] = field(default=(), compare=False)
    gives: Port = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Tokens(self.tokenizer.vocabulary, self.length, self.tokenizer.padding))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Tokenizer and length from the training texts."""
        texts = examples.fetch(train)
        whole = examples.facts.text is None or examples.facts.text.form != "corpus"
        tokenizer, chosen = tokenizer_for(spec.text, texts, otherwise="characters", why="text to write on, character by character")
        length, cut = length_for(spec.text, np.array([len(ids) + 2 * whole - 1 for ids in tokenizer.encode(texts)]), most=1024)
        return cls(tokenizer, length, whole, (chosen, cut))

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, length + 1) int32 ids of a list of texts."""
        rows = self.tokenizer.encode(list(raw))
        if self.whole:
            rows = [[self.tokenizer.begin, *ids, self.tokenizer.end] for ids in rows]
        return (filled(rows, self.length + 1, padding=self.tokenizer.padding),)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (stored[0][:, :-1].long(),)

    def targets(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        following = stored[0][:, 1:].long()
        return following.masked_fill(following == self.tokenizer.padding, NOT_ASKED)

    def lengths(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return lengths_in(stored[0], padding=self.tokenizer.padding)[:, None].clamp(min=2)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "tokenizer": self.tokenizer.to_dict(), "length": self.length, "whole": self.whole}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(Tokenizer.from_dict(fields["tokenizer"]), int(fields["length"]), bool(fields["whole"]))
