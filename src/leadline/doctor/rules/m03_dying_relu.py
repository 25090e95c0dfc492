"""M03: ReLU units that are zero for every input: nothing passes, forward or backward."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class DyingRelu(Rule):
    """Nearly all units of a layer give zero for every row of a batch, so no gradient passes through them.

    What it sees: a layer whose units are all dead on a whole batch at the start; the run learns little; with fresh biases and weights it
    goes further in forty steps than the whole run did.
    Why it hurts: a dead unit has no gradient and cannot come back (Lu et al. 2019).
    What to do: biases at zero, He's start, LeakyReLU or GELU; a lower learning rate where units die during training.
    When it is wrong: many zeros are healthy (80 % sparsity is common): only units that are zero for every row count.
    """

    code, cause, title = "M03", "dying_relu", "Dead ReLU units"
    needs = ("ailment",)
    after = 20
    kind = "replay"
    explained_by = ("O01", "D01", "M04")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The ailment, where it is this one."""
        found = evidence["ailment"]
        if found is None or found.code != self.code:
            return None
        return self.found(
            f"at the start all units of {found.signs.dead[0]} are zero for every row of the batch, so no gradient passes; {found.in_words}",
            control="biases at zero and He's start (kaiming_normal_); LeakyReLU or GELU where units keep dying",
            step=0,
            where=found.signs.dead[0],
            evidence={"dead_layers": list(found.signs.dead[:20]), "cure": found.cure},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """A bias of -20."""
        return watched(lambda: classifier(model=_biased(-20.0)), "the hidden biases start at -20")

    @classmethod
    def well(cls) -> Case:
        """A bias of -1: four in five units are silent for a row, none for all."""
        return watched(lambda: classifier(model=_biased(-1.0)), "sparse, and learning")


def _biased(bias: float) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    nn.init.constant_(net[0].bias, bias)  # pyright: ignore[reportArgumentType]
    return net
