"""A tokenizer: texts to lists of ids and back, by the Rust library `tokenizers`; all of it is one JSON value."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from tokenizers import Tokenizer as Core

SPECIALS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", "[MASK]")
"""Ids 0 to 4 of every tokenizer that is learnt here."""


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A core of the library, and the ids that mean something special.

    kind: how it was made. padding fills up, begin and end stand around what is written, mask hides a token; a missing one is None, but
    padding, which every tokenizer has. head, tail: ids put around a whole text ([CLS] and [SEP]). template: of chats (Jinja), as
    transformers has it.
    """

    kind: str
    core: Core
    padding: int
    unknown: int | None = None
    begin: int | None = None
    end: int | None = None
    mask: int | None = None
    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()
    template: str | None = None

    @classmethod
    def learnt(cls, kind: str, core: Core) -> Tokenizer:
        """One that was trained here, with `SPECIALS` as its first ids."""
        return cls(kind, core, 0, 1, 2, 3, 4)

    @property
    def vocabulary(self) -> int:
        """One more than the largest id."""
        return self.core.get_vocab_size(with_added_tokens=True)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, nothing put around them."""
        return [found.ids for found in self.core.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_words(self, examples: Sequence[Sequence[str]]) -> tuple[list[list[int]], list[list[int]]]:
        """For each list of words the ids of their tokens, and for each token the place of its word. No word is without a token."""
        flat = [word for words in examples for word in words]
        if self._marks_spaces:  # byte-level tokens of a word within a sentence begin with its space
            flat = [" " + word for word in flat]
        pieces = iter(self.encode(flat))
        ids: list[list[int]] = []
        places: list[list[int]] = []
        for words in examples:
            found = [next(pieces) or [self.unknown if self.unknown is not None else self.padding] for _ in words]
            ids.append([token for word in found for token in word])
            places.append([place for place, word in enumerate(found) for _ in word])
        return ids, places

    def around(self, ids: Sequence[int]) -> list[int]:
        """The ids with what stands around a whole text."""
        return [*self.head, *ids, *self.tail]

    def whole(self, texts: Sequence[str], length: int) -> np.ndarray:
        """(N, length) int32 ids of whole texts; long ones lose their end, never what stands around them; short ones are filled up."""
        out = np.full((len(texts), length), self.padding, np.int32)
        room = max(0, length - len(self.head) - len(self.tail))
        for place, ids in enumerate(self.encode(texts)):
            row = self.around(ids[:room])
            out[place, : len(row)] = row[:length]
        return out

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids, special ones left out."""
        return self.core.decode([int(each) for each in ids], skip_special_tokens=True)

    def name(self, place: int | None) -> str:
        """A token as the text of a template has it; empty for none."""
        return (self.core.id_to_token(place) or "") if place is not None else ""

    @cached_property
    def _marks_spaces(self) -> bool:
        kind = (json.loads(self.core.to_str()).get("pre_tokenizer") or {}).get("type")
        return kind == "ByteLevel" and self.kind != "bytes"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: everything, so that no hub and no other library is needed to read it back."""
        fields = ("kind", "padding", "unknown", "begin", "end", "mask", "head", "tail", "template")
        own = {name: getattr(self, name) for name in fields}
        return {**own, "head": list(self.head), "tail": list(self.tail), "core": json.loads(self.core.to_str())}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Tokenizer:
        """The tokenizer that `to_dict` wrote."""
        rest = {name: value for name, value in fields.items() if name != "core"}
        core = Core.from_str(json.dumps(fields["core"]))
        return cls(core=core, **{**rest, "head": tuple(fields["head"]), "tail": tuple(fields["tail"])})


class Recipe(ABC):
    """A way to learn a tokenizer; one file of `text/tokenizers/`, its docstring is its handbook page."""

    @classmethod
    @abstractmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        """Learnt from the training texts; `size` is the most tokens it may know, where that can be chosen."""
