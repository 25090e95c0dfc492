"""D14: every step sees the same batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.utils.data import DataLoader

from leadline.doctor.bench import Bench, blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.repeated_batch import RepeatedBatch
from leadline.record.finding import Finding


class _FirstOnly:
    """Gives the first batch of a loader again and again."""

    def __init__(self, inner: DataLoader[Any]) -> None:
        self.inner = inner

    def __iter__(self) -> Any:
        for _ in range(len(self.inner)):
            yield next(iter(self.inner))


class SameBatch(Rule):
    """All steps train on one batch; the rest of the data is never used.

    What it sees: the batches of all recorded steps are the same to the last bit, and the loader has more than one; mostly the loader's
    iterator is made anew inside the loop, so that it gives its first batch each time.
    Why it hurts: the network learns one batch by heart. The training loss looks splendid.
    What to do: `for batch in loader:` instead of next(iter(loader)) inside the loop.
    When it is wrong: overfitting one batch on purpose is a good test; give it a loader of that one batch and it is not named.
    """

    code, cause, title = "D14", "same_batch", "Every step sees the same batch"
    needs = ("repeated_batch",)
    after = 4

    def examine(self, evidence: Evidence) -> Finding | None:
        """All recorded batches are one."""
        seen: RepeatedBatch = evidence["repeated_batch"]
        if not seen.steps:
            return None
        why = "its iterator is made anew for every step" if seen.rebuilt else "one batch was fetched and is used again and again"
        return self.found(
            f"steps {', '.join(map(str, seen.steps[:4]))} all trained on the same rows, though the loader has "
            f"{seen.batches} batches: {why}",
            control="write `for batch in loader:` (or keep one iterator, made before the loop)",
            step=seen.steps[1],
            where="loader",
            evidence={"steps": list(seen.steps), "batches": seen.batches, "rebuilt": seen.rebuilt},
        )

    @classmethod
    def sick(cls) -> Case:
        """next(iter(loader)) inside the loop, without shuffle."""

        def make() -> Bench:
            bench = classifier(loader=loader(*blobs(), shuffle=False))
            return replace(bench, loader=_FirstOnly(bench.loader))

        return watched(make, "the iterator is rebuilt in each step")

    @classmethod
    def well(cls) -> Case:
        """Full batch: one batch is all there is."""
        x, y = blobs()
        return watched(lambda: classifier(loader=loader(x[:64], y[:64], batch_size=64, shuffle=False)), "the loader has one batch")
