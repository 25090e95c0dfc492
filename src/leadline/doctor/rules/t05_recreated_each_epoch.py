"""T05: each epoch begins from the start again."""

from __future__ import annotations

import copy

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.restarts import Restarts
from leadline.record.finding import Finding


class RecreatedEachEpoch(Rule):
    """Network, weights or optimizer are made anew in each epoch.

    What it sees: Between two steps, once a pass over the data, and at least twice: the weights are again exactly those of the start (an old
    checkpoint is loaded), or have nothing in common with those before (initialised again); or another network of the same shapes is trained
    from there on; or a new optimizer with empty state takes over the same parameters.

    Why it hurts: What an epoch learnt is thrown away. With the optimizer alone, its moments and its schedule begin anew every time.

    What to do: Move the network, its initialisation, `load_state_dict` and the optimizer out of the epoch loop.

    When it is wrong: Cross-validation and restarts begin anew on purpose, but after several epochs: nothing is said then. Swapping in
    averaged weights for a validation pass, clipping weights after each step, and one new optimizer when layers are unfrozen are no
    restarts.
    """

    code, cause, title = "T05", "recreated_each_epoch", "each epoch begins from the start again"
    needs = ("restarts",)
    after = 2
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """Weights are compared bit for bit, or by a cosine that is 0 for independent draws."""
        restarts: Restarts = evidence["restarts"]
        if restarts.set_back:
            return self._found(restarts.set_back, "the weights are exactly those of an earlier state again: an old checkpoint is loaded")
        if restarts.reinitialised:
            return self._found(restarts.reinitialised, "the weights have nothing in common with those before: they are initialised again")
        if restarts.replaced:
            words = "another network of the same shape is trained, and the watched one is not any more: it is made anew"
            return self._found(restarts.replaced, words)
        if len(restarts.rebuilt) < 2 or not restarts.has_state or not restarts.same_rates:
            return None
        is_bad = self._is_bad(evidence)
        return self.found(
            f"a new optimizer with empty state takes over at steps {self._steps(restarts.rebuilt)}: once in each epoch",
            control="build the optimizer (and its schedule) once, before the loop over epochs",
            severity="error" if is_bad else "warning",
            step=restarts.rebuilt[0],
            where="optimizer",
            evidence={"steps": list(restarts.rebuilt[:8])},
        )

    def _is_bad(self, evidence: Evidence) -> bool:
        try:
            return evidence["learning"].is_bad
        except NotExamined:
            return False

    def _found(self, steps: tuple[int, ...], words: str) -> Finding:
        return self.found(
            f"before steps {self._steps(steps)} {words} in each epoch",
            control="build the network, initialise and load it once, before the loop over epochs",
            step=steps[0],
            evidence={"steps": list(steps[:8])},
        )

    def _steps(self, steps: tuple[int, ...]) -> str:
        return ", ".join(map(str, steps[:3])) + (", ..." if len(steps) > 3 else "")

    @classmethod
    def sick(cls) -> Case:
        """init_weights is applied inside the epoch loop."""

        def new_epoch(bench: Bench) -> None:
            for module in bench.model.modules():
                if isinstance(module, nn.Linear):
                    module.reset_parameters()

        return watched(lambda: classifier(new_epoch=new_epoch), "weights are initialised at every epoch's start")

    @classmethod
    def well(cls) -> Case:
        """Averaged weights are swapped in for validation, and out again."""
        averages: list[torch.Tensor] = []

        def validate(bench: Bench) -> None:
            weights = list(bench.model.parameters())
            kept = [p.detach().clone() for p in weights]
            averages[:] = [a.lerp(p, 0.5) for a, p in zip(averages, kept, strict=True)] if averages else copy.deepcopy(kept)
            with torch.no_grad():
                for p, average in zip(weights, averages, strict=True):
                    p.copy_(average)
                for x, y in bench.val_loader:
                    bench.loss_fn(bench.model(x), y)
                for p, own in zip(weights, kept, strict=True):
                    p.copy_(own)

        def make() -> Bench:
            averages.clear()
            return classifier(validate=validate)

        return watched(make, "averaged weights are swapped in for the validation pass")
