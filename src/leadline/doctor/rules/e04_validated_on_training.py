"""E04: validation reads the training data."""

from __future__ import annotations

from leadline.doctor.bench import blobs, checked, classifier, loader
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.splits import Splits
from leadline.record.finding import Finding


class ValidatedOnTraining(Rule):
    """The validation score is measured on the rows that the network learns.

    What it sees: the validation loader is the training loader, or reads the same data set object, or every row of it.
    Why it hurts: nothing measures generalisation; overfitting cannot be seen, and the best checkpoint is the one that remembers most.
    What to do: hold rows back before training, and read those in validation.
    When it is wrong: a training score beside a real validation score is good practice; it counts only where nothing else validates.
    """

    code, cause, title = "E04", "validated_on_training_data", "Validation is training data"
    needs = ("splits",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """The same loader or data set; or every validation row found in training."""
        splits: Splits = evidence["splits"]
        wholly = splits.same in ("loader", "dataset") or (splits.shared > 0.95 and splits.copies in ("numbers", "exact"))
        if not wholly or (not splits.declared and splits.passes < 2):
            return None
        certain = splits.declared or splits.same == ""
        severity = "error" if certain else "note" if splits.same == "loader" else "warning"
        return self.found(
            f"{splits.in_words}: no row that was not trained on is ever measured",
            control="hold rows back before training and give those to validation",
            severity=severity,
            confidence="confirmed" if certain else "suspected",
            where="validation data",
            evidence=splits.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """The training set validates."""
        x, y = blobs()
        train = loader(x[:384], y[:384])
        return checked(lambda: classifier(loader=train, val_loader=train), "the training loader is handed in for validation")

    @classmethod
    def well(cls) -> Case:
        """Two parts of one data set."""
        from torch.utils.data import DataLoader, Subset, TensorDataset

        whole = TensorDataset(*blobs())
        train = DataLoader(Subset(whole, list(range(384))), 32, shuffle=True)
        val = DataLoader(Subset(whole, list(range(384, 512))), 32)
        return checked(lambda: classifier(loader=train, val_loader=val), "two parts of one data set that share no row")
