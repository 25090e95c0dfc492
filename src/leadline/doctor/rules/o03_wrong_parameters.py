"""O03: the optimizer does not hold what the network trains."""

from __future__ import annotations

import copy

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, regressor, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule, some
from leadline.doctor.signals.held import Held
from leadline.record.finding import Finding


class WrongParameters(Rule):
    """The optimizer holds tensors that are not the network's, or not those that the loss reaches.

    What it sees: Two sets: the parameters that get a gradient at every step, and those that stand in an optimizer that steps. Tensors
    in the optimizer that the network does not have and that never get a gradient are left from before it was copied, or before a layer
    was replaced: that is certain. Parameters that are left out are tried: the first steps are done again on a copy with them in the
    optimizer.

    Why it hurts: The layers left out stay as they were made, at random; with an optimizer built for an old copy nothing trains at all.

    What to do: Build the optimizer after the network is complete (after replacing layers, copying, loading), from `model.parameters()`.

    When it is wrong: Training only the last layer of a pre-trained network, or its biases, is a choice; nothing is said unless what was
    left out looks untouched since torch made it and training it makes the loss fall far faster.
    """

    code, cause, title = "O03", "wrong_parameters", "the optimizer does not hold the network's parameters"
    needs = ("held",)
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """Stale tensors are certain; parameters left out need a trial."""
        held: Held = evidence["held"]
        if held.stale and not held.held and held.left_out:
            return self._found(
                held, f"none of the network's parameters is in the optimizer: its {held.stale} tensors belong to another copy"
            )
        if held.stale and held.twins:
            first = held.twins[0]
            return self._found(
                held, f"the optimizer holds {held.stale} tensors that the network no longer has, and not {first} in their place"
            )
        if held.trial is None or not held.trial.helps or not held.untrained:
            return None
        words = f"{some(held.left_out)} get gradients at every step and are in no optimizer; {held.trial.in_words}"
        is_bad = self._is_bad(evidence)
        return self.found(
            words,
            control="build the optimizer from all of model.parameters(), after the network is complete",
            severity="error" if is_bad else "warning",
            confidence="confirmed" if is_bad else "suspected",
            step=0,
            where=held.left_out[0],
            evidence={"left_out": list(held.left_out[:8]), "in_optimizer": held.held},
            probe=held.trial.to_dict(),
        )

    def _is_bad(self, evidence: Evidence) -> bool:
        try:
            return evidence["learning"].is_bad
        except NotExamined:
            return False

    def _found(self, held: Held, words: str) -> Finding:
        return self.found(
            words,
            control="build the optimizer from model.parameters() after the network is complete (copied, loaded, its layers replaced)",
            step=0,
            where=held.left_out[0],
            evidence={"left_out": list(held.left_out[:8]), "stale": held.stale, "in_optimizer": held.held},
        )

    @classmethod
    def sick(cls) -> Case:
        """The head is replaced after the optimizer was built."""

        def make() -> Bench:
            bench = classifier()
            assert isinstance(bench.model, nn.Sequential)
            bench.model[2] = nn.Linear(32, 3)
            return bench

        return watched(make, "a new head that the optimizer does not know")

    @classmethod
    def well(cls) -> Case:
        """A linear probe: the body of a trained network is left out on purpose."""

        def make() -> Bench:
            trained = regressor(steps=120)
            trained.train()
            model = copy.deepcopy(trained.model)
            assert isinstance(model, nn.Sequential)
            model[2] = nn.Linear(32, 1)
            return regressor(model=model, optimizer=torch.optim.Adam(model[2].parameters(), lr=1e-2))

        return watched(make, "only the last layer of a trained network is in the optimizer, and the rest is left requires_grad")
