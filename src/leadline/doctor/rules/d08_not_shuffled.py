"""D08: rows come sorted by their target."""

from __future__ import annotations

from leadline.doctor.bench import blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.target_order import TargetOrder
from leadline.record.finding import Finding

SORTED = 0.35  # of the shuffled spread within batches; chance never falls so low with six batches
ONE_WAY = 0.99  # of neighbouring rows go the same way in a sorted column; a trend with noise does not


class NotShuffled(Rule):
    """The loader goes through rows that are sorted by class (or by the target), so a batch holds only one kind.

    What it sees: a loader that does not shuffle, and targets that vary within its batches far less than over all of them: for classes about
    one a batch, for numbers a column that only rises or only falls.
    Why it hurts: each step learns the class at hand and forgets the one before; batch statistics are those of one class.
    What to do: shuffle=True for the training loader; for streams, a buffer that is larger than a class.
    When it is wrong: a series in time that only rises and is meant to be read in order.
    """

    code, cause, title = "D08", "not_shuffled", "Rows come sorted by target"
    needs = ("target_order",)
    explained_by = ("D14",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Far less spread within batches than shuffling gives, from a loader that keeps the order."""
        order: TargetOrder = evidence["target_order"]
        if order.mixed > SORTED or (order.kind == "numbers" and order.one_way < ONE_WAY):
            return None
        what = f"the {order.classes} classes come one after the other" if order.kind == "classes" else "the rows are sorted by their target"
        return self.found(
            f"the loader does not shuffle, and {what}: targets within a batch vary {order.mixed:.0%} as much as "
            "they would in shuffled batches",
            control="give the training DataLoader shuffle=True",
            where="loader",
            evidence={"mixed": round(order.mixed, 4), "batches": order.batches, "classes": order.classes},
        )

    @classmethod
    def sick(cls) -> Case:
        """Sorted by class."""
        x, y = blobs()
        order = y.argsort(stable=True)
        return watched(lambda: classifier(loader=loader(x[order], y[order], shuffle=False)), "rows come class after class")

    @classmethod
    def well(cls) -> Case:
        """No shuffle, but the rows stand mixed."""
        return watched(lambda: classifier(loader=loader(*blobs(), shuffle=False)), "the loader does not shuffle, and need not")
