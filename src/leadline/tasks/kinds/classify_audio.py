"""Name what is heard in a sound, one label out of several."""

from __future__ import annotations

from typing import final

from leadline.record.facts import Facts, Guess
from leadline.record.ports import Images
from leadline.tasks.classification import Classification


@final
class ClassifyAudio(Classification):
    """One label per sound, learnt with cross-entropy on log-mel spectrograms, which networks for pictures tell apart.

    Data: one folder of sounds per class, a table of file names and labels, or labels in the file names (`data.audio.names`). Clips are
    brought to one rate and length (`data.audio`). `train.augment` takes SpecAugment (`time_mask`, `freq_mask`) and shifts (`crop`).
    Scores: as for pictures. The baselines are the most frequent class and a linear classifier on the spectrogram.
    """

    name = "classify_audio"
    data = "audio"
    takes = (Images,)
    prepares = "spectrogram"
    model = "cnn"
    remedy = "put each class in its own folder, or name the parts of the file names: data.audio.names=label_index"

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "audio" or facts.target_kind != "classes":
            return None
        return Guess(f"task {cls.name}", f"sounds with {len(facts.classes)} labels", "task=NAME (leadline list tasks)")
