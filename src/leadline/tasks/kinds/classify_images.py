"""Name what a picture shows, one label out of several."""

from __future__ import annotations

from typing import final

from leadline.record.facts import Facts, Guess
from leadline.record.ports import Images
from leadline.tasks.classification import Classification


@final
class ClassifyImages(Classification):
    """One label per picture, learnt with cross-entropy.

    Data: one folder of pictures per class, or a flat folder with a CSV of labels, or MNIST idx files, or arrays. Scores: accuracy first,
    then macro F1, balanced accuracy, ROC AUC, log loss and calibration error. The baselines are the most frequent class and a linear
    classifier on the pixels.
    """

    name = "classify_images"
    data = "images"
    takes = (Images,)
    prepares = "images"
    remedy = "put each class in its own folder, or add a CSV of file names and labels"

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "images" or facts.target_kind != "classes":
            return None
        return Guess(f"task {cls.name}", f"pictures with {len(facts.classes)} labels", "task=NAME (leadline list tasks)")
