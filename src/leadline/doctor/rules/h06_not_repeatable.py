"""H06: a generator that the operating system seeds is drawn from in network or data: no run can be repeated or resumed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class NotRepeatable(Rule):
    """Two runs with the same seeds differ, because part of the randomness has a source of its own that nobody seeds or saves.

    What it sees: a numpy Generator made without a seed (its entropy is the operating system's) that network or data set hold; where it is
    the
    network that holds it, two runs of five steps from the same state with the same seeds, which differ.
    Why it hurts: no result can be repeated, no crash be found again, and a resumed run is another run.
    What to do: np.random.default_rng(seed) with a seed of the run, or draw from torch's generator, whose state checkpoints can keep.
    When it is wrong: a generator with a seed, and the global ones, are not named.
    """

    code, cause, title = "H06", "not_repeatable", "Run cannot be repeated"
    needs = ("own_generators", "resume")
    after = 2
    kind = "experiment"

    def examine(self, evidence: Evidence) -> Finding | None:
        """An unseeded generator; in the network only where two runs differ."""
        own = evidence["own_generators"]
        if not own.unseeded:
            return None
        words = ""
        if own.in_network == len(own.unseeded):
            try:
                resume = evidence["resume"]
            except NotExamined:
                return None
            if resume.repeats:
                return None
            words = f"; {resume.in_words}"
        where, kind = own.unseeded[0]
        return self.found(
            f"{where} is a {kind} seeded by the operating system{words}: no run can be repeated or resumed as it was",
            control="give it the run's seed: np.random.default_rng(seed), or draw from torch's generator",
            severity="warning",
            step=0,
            where=where,
            evidence={"generators": [place for place, _ in own.unseeded[:5]]},
        )

    @classmethod
    def sick(cls) -> Case:
        """Noise from default_rng() in the forward pass."""
        return watched(lambda: _noisy(None), "an unseeded generator in the network")

    @classmethod
    def well(cls) -> Case:
        """The same with a seed."""
        return watched(lambda: _noisy(7), "a seeded generator in the network")


class _Noise(nn.Module):
    """Times one plus a little noise of its own source."""

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        source = np.random.default_rng(seed)
        self.draw = lambda shape: source.standard_normal(shape)  # a closure: a copy of the network draws from the same source

    def forward(self, x: Tensor) -> Tensor:
        """Noisy rows."""
        return x * torch.from_numpy(1 + 0.05 * self.draw(x.shape)).to(x.dtype)


def _noisy(seed: int | None) -> Bench:
    torch.manual_seed(0)
    return classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), _Noise(seed), nn.Linear(32, 3)), steps=60)
