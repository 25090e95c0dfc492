"""H04: the steps wait for their data."""

from __future__ import annotations

import time
from typing import Any

from torch.utils.data import Dataset

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.waiting import Waiting
from leadline.record.finding import Finding

SHARE = 0.3  # of the time, as the textbook has it
SLOW_S = 0.005  # waits below this are the loader's own overhead on tiny steps


class InputBound(Rule):
    """Most of a step's time is waiting for its batch.

    What it sees: The time inside the loader's `next`, beside the time from step to step, by their medians.

    Why it hurts: It does no harm to what is learnt; it costs time, and on a rented machine money.

    What to do: `num_workers` in the DataLoader, `pin_memory=True` for a GPU, data decoded once beforehand.

    When it is wrong: On tiny networks the loader is always the larger part, and nothing is said below 5 ms a batch. This is a note.
    """

    code, cause, title = "H04", "input_bound", "the steps wait for their data"
    needs = ("waiting",)
    after = 30
    kind = "lead"

    def examine(self, evidence: Evidence) -> Finding | None:
        """A note, for it harms no result."""
        waiting: Waiting = evidence["waiting"]
        if waiting.share < SHARE or waiting.wait_s < SLOW_S:
            return None
        return self.found(
            f"{waiting.share:.0%} of a step is waiting for its batch ({waiting.wait_s * 1000:.0f} of {waiting.step_s * 1000:.0f} ms)",
            control="give the DataLoader num_workers, or prepare the data once beforehand",
            severity="note",
            evidence={"share": round(waiting.share, 3), "wait_s": waiting.wait_s, "step_s": waiting.step_s},
            set={"data.workers": 2},
        )

    @classmethod
    def sick(cls) -> Case:
        """Rows that take three milliseconds each."""

        class Slow(Dataset[Any]):
            def __init__(self, inner: Any) -> None:
                self.inner = inner

            def __len__(self) -> int:
                return len(self.inner)

            def __getitem__(self, index: int) -> Any:
                time.sleep(3e-3)
                return self.inner[index]

        def make() -> Bench:
            bench = classifier(steps=40)
            bench.loader = type(bench.loader)(Slow(bench.loader.dataset), batch_size=32, shuffle=True)
            return bench

        return watched(make, "a data set that sleeps for each row")

    @classmethod
    def well(cls) -> Case:
        """A tiny network, whose loader takes most of the time although it is fast."""
        return watched(classifier, "steps of a fraction of a millisecond")
