"""Write on: each next token from those before it."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from leadline.base.errors import InputError
from leadline.record.facts import Facts, Guess
from leadline.record.ports import NextTokens, Port, Tokens
from leadline.tasks.language import Language
from leadline.tasks.task import NO_WISHES, Wishes


@final
class GenerateText(Language):
    """Language modelling: the network foretells each next token, and so can write (`leadline generate RUN`).

    Data: a file of running text (which is cut into training, validation and test parts one behind the other, and into pieces of
    `data.text.length` tokens), or texts of their own, such as one name a line. Scores: perplexity per token, bits per character (which is
    comparable between tokenizers), share of the tokens foretold rightly. Baselines: how often each token comes, and which follows which.
    """

    name = "generate_text"
    data = "text"
    takes = (Tokens,)
    prepares = "running_text"
    baselines = ("unigram", "bigram")
    model = "gpt"
    remedy = "give a .txt file of running text, or one text a line"

    def __init__(self, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self.gives: Port = NextTokens(vocabulary)

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "text" or facts.target_kind is not None or facts.text is None or facts.text.form not in ("corpus", "documents"):
            return None
        what = "running text" if facts.text.form == "corpus" else "texts without labels"
        return Guess(f"task {cls.name}", what, "task=fill_mask, or task=NAME (leadline list tasks)")

    @classmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        if not isinstance(wishes.takes, Tokens):
            raise InputError("LL014", f"task '{cls.name}' needs texts, and {facts.name} holds {facts.kind}", where="data", help=cls.remedy)
        return cls(wishes.takes.vocabulary)

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.name, "vocabulary": self.vocabulary}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(int(fields["vocabulary"]))
