"""D07: one input column gives the target away."""

from __future__ import annotations

import torch

from leadline.doctor.bench import blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.leak_column import LeakColumn
from leadline.record.finding import Finding


class TargetLeakage(Rule):
    """A column of the inputs is the target in other clothes.

    What it sees: a column whose values the target accounts for to more than 99.5 %, while no ordinary column comes near.
    Why it hurts: the network reads that column and nothing else; in the world, where it is not known yet or not there, it knows nothing.
    What to do: drop the column, or show that its value is known at the moment of prediction.
    When it is wrong: where one measurement really decides (a unit conversion), the other columns are not needed.
    """

    code, cause, title = "D07", "target_leakage", "An input column tells the target"
    needs = ("leak_column",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """At least one such column."""
        seen: LeakColumn = evidence["leak_column"]
        if not seen.columns:
            return None
        named = ", ".join(map(str, seen.columns[:4]))
        return self.found(
            f"input column {named} is told by the target to {seen.told:.2%}; the best of the others to "
            f"{seen.others:.0%}: it seems to be made from the target",
            control=f"drop column {seen.columns[0]}, unless its value is known before the target is",
            severity="warning",
            confidence="suspected",
            where=f"inputs, column {named}",
            evidence={"columns": list(seen.columns), "told": seen.told, "others": seen.others},
        )

    @classmethod
    def sick(cls) -> Case:
        """The class with a little noise as a column."""
        x, y = blobs(spread=3.0)
        x[:, 0] = y.float() * 3 - 3 + 0.05 * torch.randn(len(x), generator=torch.Generator().manual_seed(1))
        return watched(lambda: classifier(loader=loader(x, y)), "column 0 is the class")

    @classmethod
    def well(cls) -> Case:
        """Clouds far apart: every column knows much."""
        return watched(
            lambda: classifier(loader=loader(*blobs(spread=0.05))), "clouds so far apart that each column nearly tells the class"
        )
