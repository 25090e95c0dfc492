"""D04: class numbers that do not fit the network's outputs, the loss, or the other split."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import blobs, checked, classifier, loader, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.label_numbers import LabelNumbers
from leadline.doctor.signals.label_sets import LabelSets
from leadline.record.finding import Finding


class LabelEncoding(Rule):
    """The numbers that stand for classes were made in a way that the network, the loss or the validation data does not share.

    What it sees: a label beyond the last output; one label for all rows; a data set whose labels end exactly at half of the outputs; an
    ignore_index that is the number of a real class; validation rows whose nearest training rows carry one other label, class by class.
    Why it hurts: rows of a class are refused, merged, or skipped without a word, and the score is measured against other names.
    What to do: make one table from class name to 0..K-1, and use it for every split; ignore_index must be no class's number.
    When it is wrong: a head with spare outputs on purpose (classes still to come) reads as half-used labels, which is a warning only.
    """

    code, cause, title = "D04", "label_encoding", "Class numbers do not fit"
    needs = ("label_sets", "label_numbers")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Certain contradictions first, then the comparison of the splits."""
        return self._by_set(evidence) or self._by_split(evidence)

    def _by_set(self, evidence: Evidence) -> Finding | None:
        try:
            sets: LabelSets = evidence["label_sets"]
        except NotExamined:
            return None
        low, high = (sets.labels[0], sets.labels[-1]) if sets.labels else (0, 0)
        facts = {"labels": list(sets.labels[:20]), "outputs": sets.outputs}
        if sets.problem == "out of range":
            return self.found(
                f"the loss refused the labels: they run {low}..{high}, and the network has outputs 0..{sets.outputs - 1} ({sets.error})",
                control="number the classes from 0 to K-1 (subtract 1 from labels that count from 1), and give the network K outputs",
                where="targets",
                evidence=facts,
            )
        if sets.problem == "constant":
            return self.found(
                f"every one of {sum(sets.counts)} labels is {low}, and the network has {sets.outputs} outputs: "
                "the labels were lost on the way",
                control="look at the step that makes the labels (a division or a cast that belongs to the pictures, a wrong column)",
                where="targets",
                evidence=facts,
            )
        if sets.problem == "ignored":
            return self.found(
                f"the loss skips every target that is {sets.ignored} (ignore_index), {sets.ignored_share:.0%} "
                f"of them, and {sets.ignored} is a class of its own here",
                control="leave ignore_index out, or give it a number that no class has (-100)",
                where="loss",
                evidence={**facts, "ignore_index": sets.ignored, "share": sets.ignored_share},
            )
        if sets.problem == "half":
            return self.found(
                f"{sum(sets.counts)} labels use 0..{high} only, and the network has {sets.outputs} outputs: "
                "just the lower half, as after labels // 2",
                control="compare the labels with the file they come from",
                severity="warning",
                confidence="suspected",
                where="targets",
                evidence=facts,
            )
        return None

    def _by_split(self, evidence: Evidence) -> Finding | None:
        try:
            numbers: LabelNumbers = evidence["label_numbers"]
        except NotExamined:
            return None
        if not numbers.is_other:
            return None
        named = ", ".join(f"{a} is {b}" for a, b in list(numbers.table.items())[:4])
        return self.found(
            f"validation counts the classes in another order than training: what training calls {named} there "
            f"(the nearest training row's label agrees for {numbers.same:.0%} of {numbers.rows} rows as given, "
            f"for {numbers.renumbered:.0%} renumbered)",
            control="make the table from class names to numbers once, from the training part, and use it for every split",
            where="targets",
            evidence={"table": {str(a): b for a, b in numbers.table.items()}, "same": numbers.same, "renumbered": numbers.renumbered},
        )

    @classmethod
    def sick(cls) -> Case:
        """Labels from 1."""
        x, y = blobs()
        return checked(lambda: classifier(loader=loader(x, y + 1)), "labels count from 1")

    @classmethod
    def well(cls) -> Case:
        """A head with room for more classes than there are."""
        x, y = blobs()
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 10)), loader=loader(x, y)),
            "ten outputs, three classes",
        )
