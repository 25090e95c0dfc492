"""T03: the network trains in eval mode."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import Bench, convnet, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule, some
from leadline.doctor.signals.modes import Modes
from leadline.record.finding import Finding, Severity


class EvalStuck(Rule):
    """The network is in eval mode while it trains.

    What it sees: At the moment of `optimizer.step()` the whole network has `training == False`, and it has dropout or batch norm in
    parts that train: after a validation pass whose `model.eval()` nobody took back, or from the first step on.

    Why it hurts: Dropout does nothing, so the network overfits; batch norm normalises with running statistics that no longer follow the
    weights (or never saw a batch), so its outputs drift and the loss rises.

    What to do: Call `model.train()` at the start of every training epoch, after each validation pass.

    When it is wrong: Whoever fine-tunes with frozen batch norms on purpose puts those modules in eval mode and leaves the network in
    train mode, and nothing is said; nor where a part of the network was put in train mode by hand, or where nothing minds the mode. A
    pre-trained network that is in eval mode from the first step is a warning only.
    """

    code, cause, title = "T03", "eval_stuck", "the network trains in eval mode"
    needs = ("modes",)
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """The flag at the step is the proof."""
        modes: Modes = evidence["modes"]
        if not modes.asleep:
            return None
        if modes.from_start and evidence["door"].name == "check":
            return None  # the loop outside may call train(); here only the mode that the network came in is seen
        first = modes.asleep[0]
        since = "from the first step on" if modes.from_start else f"since step {first}"
        return self.found(
            f"{since} the optimizer steps while the network is in eval mode: {self._harm(modes)} ({some(modes.parts, 2)})",
            control="call model.train() at the start of every training epoch (after each validation pass)",
            severity=self._severity(modes),
            step=first,
            where=modes.parts[0],
            evidence={"steps": len(modes.asleep), "of": modes.steps, "parts": list(modes.parts[:8])},
        )

    def _severity(self, modes: Modes) -> Severity:
        is_choice = modes.from_start and not modes.untouched  # a pre-trained network, or dropout alone: somebody may want it
        return "warning" if is_choice else "error"

    def _harm(self, modes: Modes) -> str:
        dropout = len(modes.parts) > len(modes.norms)
        words = ["dropout is off"] if dropout else []
        return " and ".join([*words, *(["batch norm does not look at the batch"] if modes.norms else [])])

    @classmethod
    def sick(cls) -> Case:
        """eval() at the end of the epoch, and no train() after it."""

        def validate(bench: Bench) -> None:
            bench.model.eval()

        return watched(lambda: convnet(validate=validate), "eval() for validation, and no train() afterwards")

    @classmethod
    def well(cls) -> Case:
        """Batch norms in eval mode on purpose, in a network that trains."""

        def fix(bench: Bench) -> None:
            for module in bench.model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

        def make() -> Bench:
            bench = convnet()
            bench.train()  # their statistics are those of the data now
            bench.new_epoch = fix
            bench.steps = 60
            return bench

        return watched(make, "a trained network goes on with its batch norms fixed in eval mode")
