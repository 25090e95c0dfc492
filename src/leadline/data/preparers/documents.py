"""Texts as rows of token ids: one text, one example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from leadline.data.prepare import Preparer
from leadline.data.texts import length_for, lengths_in, tokenizer_for
from leadline.record.facts import Guess
from leadline.record.ports import Port, Tokens
from leadline.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples


@dataclass(frozen=True)
class DocumentsPreparer(Preparer):
    """Token ids (B, length) of whole texts, with the tokens that its tokenizer puts around one (begin and end, or [CLS] and [SEP])."""

    kind: ClassVar[str] = "documents"
    varies: ClassVar[bool] = True

    tokenizer: Tokenizer
    length: int
    guesses: tuple[Guess, ...] = field(default=(), compare=False)
    gives: Port = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Tokens(self.tokenizer.vocabulary, self.length, self.tokenizer.padding))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Tokenizer and length from the training texts."""
        texts = examples.fetch(train)
        tokenizer, chosen = tokenizer_for(spec.text, texts, otherwise="words", why="whole texts, learnt from scratch")
        around = len(tokenizer.around([]))
        length, cut = length_for(spec.text, np.array([len(ids) + around for ids in tokenizer.encode(texts)]))
        return cls(tokenizer, length, (chosen, cut))

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, length) int32 ids of a list of texts."""
        return (self.tokenizer.whole(list(raw), self.length),)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (stored[0].long(),)

    def lengths(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return lengths_in(stored[0], padding=self.tokenizer.padding)[:, None]

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "tokenizer": self.tokenizer.to_dict(), "length": self.length}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(Tokenizer.from_dict(fields["tokenizer"]), int(fields["length"]))
