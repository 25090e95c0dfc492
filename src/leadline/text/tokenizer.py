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
TEMPLATE = (
    "{% for message in messages %}### {{ message.role | capitalize }}:\n{{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### Assistant:\n{% endif %}"
)
"""How messages become one text where the tokenizer has no template of its own."""


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

    def token(self, place: int) -> str:
        """One token as its own name."""
        return self.core.id_to_token(int(place)) or ""

    def characters(self) -> np.ndarray:
        """(vocabulary,) float32: how many characters each token stands for; 0 for special ones.

        A token of a byte-level tokenizer that holds a part of a character counts its share of bytes.
        """
        return self._characters

    def chat(self, messages: Sequence[dict[str, str]]) -> tuple[list[int], list[bool]]:
        """Ids of a conversation in its template, and which of them the assistant says (what is to be learnt)."""
        text = self.render(messages)
        spans = [self._span(messages, place) for place, message in enumerate(messages) if message["role"] == "assistant"]
        found = self.core.encode(text, add_special_tokens=False)
        said = [any(low <= start < high for low, high in spans) for start, _ in found.offsets]
        return found.ids, said

    def render(self, messages: Sequence[dict[str, str]], *, answer: bool = False) -> str:
        """A conversation as text; with `answer` up to where the assistant begins to speak."""
        return self._render.render(
            messages=list(messages), add_generation_prompt=answer, eos_token=self._name(self.end), bos_token=self._name(self.begin)
        )

    def _span(self, messages: Sequence[dict[str, str]], place: int) -> tuple[int, int]:
        """Where message `place`, an assistant's, stands in the rendered text: from behind the prompt to behind its end token."""
        low = len(self.render(messages[:place], answer=True))
        until = self.render(messages[: place + 1])
        end = self._name(self.end)
        high = until.rfind(end) + len(end) if end and until.rfind(end) >= low else len(until)
        return low, high

    def _name(self, place: int | None) -> str:
        return (self.core.id_to_token(place) or "") if place is not None else ""

    @cached_property
    def _render(self) -> Any:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(self.template or TEMPLATE)

    @cached_property
    def _marks_spaces(self) -> bool:
        kind = (json.loads(self.core.to_str()).get("pre_tokenizer") or {}).get("type")
        return kind == "ByteLevel" and self.kind != "bytes"

    @cached_property
    def _characters(self) -> np.ndarray:
        special = {place for place, token in self.core.get_added_tokens_decoder().items() if token.special}
        special |= set(range(len(SPECIALS))) if self.head == () and self.kind != "pretrained" else set()
        is_bytes = (json.loads(self.core.to_str()).get("pre_tokenizer") or {}).get("type") == "ByteLevel"
        counts = [0.0 if i in special else _size(self.core.id_to_token(i) or "", is_bytes) for i in range(self.vocabulary)]
        return np.array(counts, np.float32)

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


def _size(token: str, is_bytes: bool) -> float:
    """Characters of a token; in a byte-level one each sign stands for one byte, and what continues a character counts nothing."""
    if not is_bytes:
        return float(len(token.removeprefix("##")))
    return float(sum((_BYTES.get(sign, 0) & 0xC0) != 0x80 for sign in token))


def _byte_signs() -> dict[str, int]:
    """Which sign stands for which byte in byte-level tokens (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_signs()
