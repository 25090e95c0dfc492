"""Each word is a token."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer as Core
from tokenizers import models, normalizers, pre_tokenizers, trainers

from leadline.text.tokenizer import SPECIALS, Recipe, Tokenizer


class Words(Recipe):
    """The commonest words of the training texts, in small letters, and signs of punctuation; rare words become [UNK].

    Short sequences that carry meaning at once: good for classifying texts with small networks.
    """

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        core = Core(models.WordLevel(unk_token=SPECIALS[1]))
        core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])  # type: ignore[assignment]
        core.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
        trainer = trainers.WordLevelTrainer(special_tokens=list(SPECIALS), vocab_size=size, show_progress=False)
        core.train_from_iterator(texts, trainer)
        return Tokenizer.learnt("words", core)
