"""Sentences of words to token ids, with the tag of a word at its first token."""

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

NOT_ASKED = -100


@dataclass(frozen=True)
class WordsPreparer(Preparer):
    """Token ids (B, length), and as targets the code of each word's tag at its first token, -100 elsewhere (Devlin et al. 2019, 5.3).

    tags: in the order of their codes. Raw examples are (words, tags), words alone, or a text, which is cut at its spaces.
    """

    kind: ClassVar[str] = "words"
    varies: ClassVar[bool] = True

    tokenizer: Tokenizer
    length: int
    tags: tuple[str, ...]
    guesses: tuple[Guess, ...] = field(default=(), compare=False)
    gives: Port = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gives", Tokens(self.tokenizer.vocabulary, self.length, self.tokenizer.padding))

    @classmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Self:
        """Tokenizer and length from the training sentences."""
        words = [words for words, _ in examples.fetch(train)]
        texts = [" ".join(each) for each in words]
        tokenizer, chosen = tokenizer_for(spec.text, texts, otherwise="wordpiece", why="parts tell of rare names")
        around = len(tokenizer.around([]))
        length, cut = length_for(spec.text, np.array([len(ids) + around for ids in tokenizer.encode_words(words)[0]]))
        return cls(tokenizer, length, examples.facts.classes, (chosen, cut))

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """(B, length) int32 ids and int16 tag codes."""
        examples = [_parts(one) for one in raw]
        rows, places = self.tokenizer.encode_words([words for words, _ in examples])
        codes = {tag: code for code, tag in enumerate(self.tags)} | {"": 0}
        head, room = list(self.tokenizer.head), self.length - len(self.tokenizer.around([]))
        labels = []
        for (_, tags), words in zip(examples, places, strict=True):
            firsts = [not place or words[place - 1] != word for place, word in enumerate(words)][:room]
            own = [codes[tags[word]] if first else NOT_ASKED for first, word in zip(firsts, words, strict=False)]
            labels.append([NOT_ASKED] * len(head) + own)
        ids = [self.tokenizer.around(row[:room]) for row in rows]
        wide = filled(ids, self.length, padding=self.tokenizer.padding)
        return wide, filled(labels, self.length, padding=NOT_ASKED).astype(np.int16)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (stored[0].long(),)

    def targets(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return stored[1].long()

    def lengths(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return lengths_in(stored[0], padding=self.tokenizer.padding)[:, None].expand(-1, 2)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "tokenizer": self.tokenizer.to_dict(), "length": self.length, "tags": list(self.tags)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(Tokenizer.from_dict(fields["tokenizer"]), int(fields["length"]), tuple(fields["tags"]))


def _parts(one: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(words, tags); without tags each is empty, and only marks where a word begins."""
    if isinstance(one, tuple) and len(one) == 2 and not isinstance(one[0], str):
        return one
    words = tuple(one.split()) if isinstance(one, str) else tuple(one)
    return words, ("",) * len(words)
