"""N06: a step that leaves a weight as it was although gradient and rate are there."""

from __future__ import annotations

from typing import Any

import torch

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule, some
from leadline.doctor.signals.unmoved import Unmoved
from leadline.record.finding import Finding


class SilentKernel(Rule):
    """An optimizer step silently changes nothing.

    What it sees: A parameter in the optimizer has a gradient at every measured step, its learning rate is not 0, the update would be a
    hundred times the smallest change that its number format can hold, and its values are bit for bit those from before training.

    Why it hurts: That weight does not train, and no error says so. Known causes: kernels that write into a contiguous copy of a strided
    tensor and forget it (Metal backend, 2024), optimizer wrappers that step a copy, hooks that put the old value back.

    What to do: Make the parameter contiguous (`p.data = p.data.contiguous()`), update torch or the optimizer's package, or compare with
    torch's own optimizer.

    When it is wrong: An optimizer that updates only every so many steps is given 25 of them. A rate of 0 is no fault of a kernel, and
    half-precision weights that swallow small updates are another one (N04).
    """

    code, cause, title = "N06", "silent_kernel", "a step leaves the weight as it was"
    needs = ("unmoved",)
    after = 2
    kind = "contract"
    explained_by = ("N04", "O03", "T02", "N01")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Bits are compared: nothing is estimated."""
        unmoved: Unmoved = evidence["unmoved"]
        if not unmoved.names:
            return None
        layout = "; they are the ones that are not contiguous in memory" if unmoved.strided else ""
        return self.found(
            f"{unmoved.kind} steps with lr {unmoved.lr:.3g} and a gradient of norm {unmoved.grad:.3g}, "
            f"and {some(unmoved.names)} did not change by a single bit{layout}",
            control="make the weights contiguous (p.data = p.data.contiguous()), or use torch's own optimizer, and look whether they move",
            step=unmoved.step,
            where=unmoved.names[0],
            evidence={"unmoved": list(unmoved.names[:8]), "in_optimizer": unmoved.num_held},
        )

    @classmethod
    def sick(cls) -> Case:
        """An optimizer that steps on copies."""

        class OnCopies(torch.optim.Adam):
            @torch.no_grad()
            def step(self, closure: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
                kept = [(p, p.data) for group in self.param_groups for p in group["params"]]
                for p, data in kept:
                    p.data = data.clone()
                result = super().step(closure)
                for p, data in kept:
                    p.data = data
                return result

        def make() -> Bench:
            bench = classifier()
            bench.optimizer = OnCopies(bench.model.parameters(), lr=1e-2)
            return bench

        return watched(make, "the step works on a copy that nobody writes back")

    @classmethod
    def well(cls) -> Case:
        """A part with a learning rate of 0, on purpose."""

        def make() -> Bench:
            bench = classifier()
            first, last = bench.model[0], bench.model[2]  # type: ignore[index]
            groups = [{"params": list(first.parameters()), "lr": 0.0}, {"params": list(last.parameters())}]  # type: ignore[union-attr]
            bench.optimizer = torch.optim.Adam(groups, lr=1e-2)
            return bench

        return watched(make, "the first layer is held fast by a rate of 0")
