"""Each byte of the UTF-8 text is a token."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer as Core
from tokenizers import decoders, models, pre_tokenizers

from leadline.text.tokenizer import SPECIALS, Recipe, Tokenizer


class Bytes(Recipe):
    """256 tokens, one for each byte of UTF-8: any text in any language, nothing unknown, nothing learnt."""

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        signs = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {name: place for place, name in enumerate([*SPECIALS, *signs])}
        core = Core(models.BPE(vocab=vocabulary, merges=[], unk_token=None))
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)  # type: ignore[assignment]
        core.decoder = decoders.ByteLevel()  # type: ignore[assignment]
        core.add_special_tokens(list(SPECIALS))
        return Tokenizer.learnt("bytes", core)
