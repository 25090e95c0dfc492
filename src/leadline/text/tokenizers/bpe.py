"""Byte-pair encoding: common strings of bytes become tokens."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer as Core
from tokenizers import decoders, models, pre_tokenizers, trainers

from leadline.text.tokenizer import SPECIALS, Recipe, Tokenizer


class BPE(Recipe):
    """Begins with bytes and joins the commonest neighbours until it knows `data.text.vocabulary` tokens (Sennrich et al. 2016).

    What GPT uses: any text, nothing unknown, and a text comes back to the letter.
    """

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        core = Core(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
        core.decoder = decoders.ByteLevel()  # type: ignore[assignment]
        trainer = trainers.BpeTrainer(
            vocab_size=max(size, len(SPECIALS) + 256),
            special_tokens=list(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        core.train_from_iterator(texts, trainer)
        return Tokenizer.learnt("bpe", core)
