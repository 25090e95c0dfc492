"""Name what a text is, one label out of several."""

from __future__ import annotations

from typing import final

from leadline.record.facts import Facts, Guess
from leadline.record.ports import Tokens
from leadline.tasks.classification import Classification


@final
class ClassifyText(Classification):
    """One label per text, learnt with cross-entropy.

    Data: a folder of texts per class, or a table with a column of texts and one of labels. The tokenizer is learnt from the training
    texts, or comes with a pretrained network (`model=transformers/...`). Scores as for pictures. The baselines are the most frequent class
    and a linear classifier on the words (TF-IDF).
    """

    name = "classify_text"
    data = "text"
    takes = (Tokens,)
    prepares = "documents"
    model = "text_cnn"
    baselines = ("majority", "linear")
    remedy = "put each class in a folder of its own, or name the label column with target=COLUMN"

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "text" or facts.target_kind != "classes":
            return None
        return Guess(f"task {cls.name}", f"texts with {len(facts.classes)} labels", "task=NAME (leadline list tasks)")
