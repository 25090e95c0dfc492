"""D06: rows of the training split stand in the validation split."""

from __future__ import annotations

import torch

from leadline.doctor.bench import blobs, checked, classifier, loader
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.splits import MATERIAL, Splits
from leadline.record.finding import Finding


class SplitLeakage(Rule):
    """Part of the validation rows were trained on, so the validation score is too good.

    What it sees: row numbers that both parts share; rows that are the same in both to the last bit; or validation rows that lie far nearer
    to a training row than training rows lie to each other. Copies that this data has anyway (few discrete values) are taken off.
    Why it hurts: validation measures memory; early stopping, model choice and the reported score follow it.
    What to do: remove copies before splitting, split once with one seed, and split by group (patient, scene, source) where rows belong
    together.
    When it is wrong: a stream of measurements with nearly equal neighbours cut at random reads as near copies; then a cut by time is due
    anyway.
    """

    code, cause, title = "D06", "split_leakage", "Training rows validate"
    needs = ("splits",)
    explained_by = ("E04",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A material share of the validation rows, but not the training set itself."""
        splits: Splits = evidence["splits"]
        if splits.same in ("loader", "dataset") or splits.shared <= MATERIAL or not splits.copies or splits.shared * splits.rows < 5:
            return None
        near = splits.copies == "near"
        return self.found(
            splits.in_words + ("" if near else "; by chance it would be " + f"{splits.by_chance:.1%}"),
            control="remove copies before splitting, split once, and keep rows that belong together on one side",
            severity="warning" if near else "error",
            confidence="suspected" if near else "confirmed",
            where="validation data",
            evidence=splits.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """A fifth of the training rows validates."""
        x, y = blobs()
        both = torch.cat([x[384:], x[:64]]), torch.cat([y[384:], y[:64]])
        return checked(lambda: classifier(val_loader=loader(*both, shuffle=False)), "64 training rows stand in validation too")

    @classmethod
    def well(cls) -> Case:
        """Few discrete values: equal rows are everywhere, in and between the splits."""
        x, y = blobs()
        x = (x[:, :4] > 0).float().repeat(1, 2)
        return checked(
            lambda: classifier(loader=loader(x[:384], y[:384]), val_loader=loader(x[384:], y[384:], shuffle=False)),
            "only 16 different rows exist",
        )
