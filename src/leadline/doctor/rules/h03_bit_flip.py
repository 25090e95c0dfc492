"""H03: a single number jumps by orders of magnitude while all its neighbours stay: memory, not training."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class BitFlip(Rule):
    """One number of the weights, of a gradient or of the optimizer's state is off by a power of two that no training makes.

    What it sees: at most three numbers that are a million times as large as all others of their tensor and as they were at the start; and
    whether flipping one bit of the exponent back makes them usual again.
    Why it hurts: one number of 1e38 makes the next loss infinite, or silently one unit deaf; on a cluster it comes back.
    What to do: go back to the last checkpoint, run the step again (it will not happen again if it was the memory), and test the machine.
    When it is wrong: exploding training moves whole tensors, not single numbers; a number that was so large from the start is not named.
    Source: Dixit et al., Silent Data Corruptions at Scale, 2021.
    """

    code, cause, title = "H03", "bit_flip", "Silent data corruption"
    needs = ("outliers",)
    after = 2
    kind = "experiment"
    explained_by = ()

    def examine(self, evidence: Evidence) -> Finding | None:
        """A few numbers, each alone."""
        numbers = evidence["outliers"].numbers
        if not numbers:
            return None
        first = numbers[0]
        bit = f"; with bit {first.bit} of its float32 flipped back it is {first.restored:.3g}" if first.bit is not None else ""
        return self.found(
            f"element {first.index} of {first.where} is {first.value:.3g}, where the others are about {first.usual:.2g}{bit}: a "
            "single number "
            "does not leave all its neighbours in training",
            control="restore the last good checkpoint and do the step again; if it differs, test this machine's memory",
            confidence="confirmed" if first.bit is not None else "suspected",
            where=first.where,
            evidence={"numbers": [{"where": n.where, "index": n.index, "value": n.value, "usual": n.usual, "bit": n.bit} for n in numbers]},
        )

    @classmethod
    def sick(cls) -> Case:
        """The highest bit of a weight's exponent flips after the third epoch."""

        epochs = itertools.count()

        def epoch(bench: Bench) -> None:
            if next(epochs) != 3:
                return
            weight = next(bench.model.parameters()).data.view(-1)
            weight[7] = (weight[7:8].clone().view(torch.int32) ^ (1 << 30)).view(torch.float32)[0]

        return watched(lambda: classifier(new_epoch=epoch), "one bit of one weight")

    @classmethod
    def well(cls) -> Case:
        """A network with a mask of -1e9 among its parameters."""

        def make() -> Bench:
            torch.manual_seed(0)
            bench = classifier()
            bench.model.register_parameter("mask", nn.Parameter(torch.tensor([0.1] * 31 + [-1e9]), requires_grad=False))
            return bench

        return watched(make, "a large constant that was there from the start")
