"""D05: rare classes are given up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.rare_classes import FEWEST, RareClasses
from leadline.record.finding import Finding


def _one_in_twenty(weight: Tensor | None) -> Bench:
    """A twentieth of the rows is of class 1 and lies within class 0's cloud, a little aside."""
    torch.manual_seed(0)
    y = (torch.arange(1024) % 20 == 0).long()
    x = torch.randn(1024, 4) + 1.0 * y[:, None]
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return Bench(model, nn.CrossEntropyLoss(weight=weight), optimizer, loader(x, y), steps=160)


class ClassImbalance(Rule):
    """Some classes are so rare that the network does best, by its loss, to never name them; and so it does.

    What it sees: classes with less than a tenth of the commonest one's rows, no class weight and no weighted sampler, a loss that has
    settled,
    and a network that on recorded batches finds nearly all common rows and hardly any rare ones.
    Why it hurts: accuracy looks high, and the classes that mattered are missed (He and Garcia 2009, "Learning from Imbalanced Data").
    What to do: weight the loss by inverse frequency (pos_weight in the binary case) or draw rare rows more often, and report macro F1.
    When it is wrong: where rare classes cannot be told from the others at all, weights only move the errors.
    """

    code, cause, title = "D05", "class_imbalance", "Rare classes are given up"
    needs = ("rare_classes",)
    after, kind, at = 60, "lead", "end"
    explained_by = ("D08", "L09")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Rare, unweighted, settled, and not found."""
        seen: RareClasses = evidence["rare_classes"]
        if not seen.rare or seen.handled or not seen.settled or seen.rows < FEWEST:
            return None
        if seen.found > 0.2 or seen.common_found < 0.8:
            return None
        names = ", ".join(map(str, seen.rare[:6]))
        return self.found(
            f"classes {names} are {seen.share:.1%} of the rows, and the network names them for {seen.found:.0%} "
            f"of their {seen.rows} rows in the latest "
            f"recorded batches ({seen.common_found:.0%} for the common classes); the loss has settled there",
            control="weight the loss by inverse class frequency, or draw rare rows more often, and measure macro F1",
            severity="warning",
            confidence="suspected",
            where="targets",
            evidence={"rare": list(seen.rare[:20]), "share": seen.share, "found": seen.found, "common_found": seen.common_found},
        )

    @classmethod
    def sick(cls) -> Case:
        """One row in twenty, unweighted."""
        return watched(lambda: _one_in_twenty(None), "one row in twenty is never named")

    @classmethod
    def well(cls) -> Case:
        """The same with weights."""
        return watched(lambda: _one_in_twenty(torch.tensor([0.55, 10.0])), "the same rows, and the loss weighs them")
