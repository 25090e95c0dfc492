"""WordPiece: words, and the parts that rare words are made of."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer as Core
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from leadline.text.tokenizer import SPECIALS, Recipe, Tokenizer


class WordPiece(Recipe):
    """What BERT uses (Wu et al. 2016): small letters, accents removed; a rare word becomes parts, the later ones marked with ##."""

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        core = Core(models.WordPiece(unk_token=SPECIALS[1]))
        core.normalizer = normalizers.BertNormalizer(lowercase=True)  # type: ignore[assignment]
        core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
        core.decoder = decoders.WordPiece()  # type: ignore[assignment]
        trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=list(SPECIALS), show_progress=False)
        core.train_from_iterator(texts, trainer)
        return Tokenizer.learnt("wordpiece", core)
