"""D10: randomness that is the same every time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from leadline.doctor.bench import blobs, classifier, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.item_randomness import ItemRandomness
from leadline.doctor.signals.seeded_steps import SeededSteps
from leadline.record.finding import Finding


class _Jittered(Dataset[tuple[Tensor, Tensor]]):
    """Rows with jitter, from a source of its own with a seed, or from torch's."""

    def __init__(self, *, seeded: bool) -> None:
        self.x, self.y = blobs()
        self.seeded = seeded

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        source = torch.Generator().manual_seed(0) if self.seeded else None
        return self.x[index] + 0.3 * torch.randn(8, generator=source), self.y[index]


class FixedRandomness(Rule):
    """An augmentation, or noise in the training step, draws the same numbers every time.

    What it sees: a row of the data set asked for twice with generators in other states sets them back to one state; or draws, and comes out
    the same, changed from the row that is stored; or recorded training steps that draw from one and the same state of the generator.
    Why it hurts: the network sees one version of each row, or one noise, and learns that; dropout masks and shuffles can repeat as well.
    What to do: seed once at the program's start, never inside __getitem__ or the step; in workers use torch's generator.
    When it is wrong: data that is made from a seed for each row has no stored row, and is left alone.
    """

    code, cause, title = "D10", "fixed_augmentation", "Randomness that repeats itself"
    needs = ("item_randomness", "seeded_steps")
    kind = "experiment"

    def examine(self, evidence: Evidence) -> Finding | None:
        """Steps first, then rows."""
        return self._steps(evidence) or self._rows(evidence)

    def _steps(self, evidence: Evidence) -> Finding | None:
        seeded: SeededSteps = evidence["seeded_steps"]
        if not seeded.steps:
            return None
        return self.found(
            f"steps {', '.join(map(str, seeded.steps[:4]))} all drew ({seeded.what}) from the very same state "
            "of the generator: it is set back in each step",
            control="call manual_seed once, before the loop",
            step=seeded.steps[1],
            where="training step",
            evidence={"steps": list(seeded.steps), "draws": seeded.what},
        )

    def _rows(self, evidence: Evidence) -> Finding | None:
        try:
            rows: ItemRandomness = evidence["item_randomness"]
        except NotExamined:
            return None
        words = {
            "reseeds": f"reading a row sets the generator of {', '.join(rows.which)} to a fixed state: all "
            "that is random afterwards repeats",
            "same noise": "each row is changed by the same random draw, in every epoch",
            "same by row": "each row's random change is the same in every epoch",
        }
        if not rows.problem:
            return None
        mild = rows.problem == "same by row"
        return self.found(
            words[rows.problem],
            control="do not seed inside __getitem__; draw from torch's generator",
            severity="warning" if mild else "error",
            confidence="suspected" if mild else "confirmed",
            where="data set",
            evidence={"problem": rows.problem, "generators": list(rows.which)},
        )

    @classmethod
    def sick(cls) -> Case:
        """A source with one seed in each item."""
        return watched(lambda: classifier(loader=DataLoader(_Jittered(seeded=True), 32, shuffle=True)), "the same jitter for all rows")

    @classmethod
    def well(cls) -> Case:
        """Jitter that is new each time."""
        return watched(lambda: classifier(loader=DataLoader(_Jittered(seeded=False), 32, shuffle=True)), "new jitter each time")
