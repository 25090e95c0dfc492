"""Each character is a token."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Core

from leadline.text.tokenizer import SPECIALS, Recipe, Tokenizer


class Characters(Recipe):
    """One token for each character of the training texts; others become [UNK].

    Nothing to choose, and no text is cut in a wrong place; but sequences are long, and a network must learn spelling first. Good for names,
    small corpora and for seeing how a language model works.
    """

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        core = Core(models.WordLevel(unk_token=SPECIALS[1]))
        core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # type: ignore[assignment]
        core.decoder = decoders.Fuse()  # type: ignore[assignment]
        trainer = trainers.WordLevelTrainer(special_tokens=list(SPECIALS), vocab_size=1_200_000, show_progress=False)  # all of Unicode
        core.train_from_iterator(texts, trainer)
        return Tokenizer.learnt("characters", core)
