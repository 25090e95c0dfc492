"""D02: targets on a scale that the outputs cannot reach in time."""

from __future__ import annotations

from leadline.doctor.bench import curve, loader, regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.scales import Scales, helped
from leadline.record.finding import Finding


class TargetScale(Rule):
    """The numbers to be predicted are far larger than what the network answers with at first, so that training is spent on growing.

    What it sees: targets with a large deviation or far from zero, a loss that stays at what the mean would reach, and a replay from the
    start
    on the same batches in which standardised targets leave plainly less of the trivial loss than is left without.
    Why it hurts: the error is huge and all alike; steps of an adaptive optimizer are about as long as the learning rate, whatever the
    error.
    What to do: standardise the targets (or take their logarithm), and undo it when predicting.
    When it is wrong: large targets with a learning rate that reaches them learn, and are left alone.
    """

    code, cause, title = "D02", "target_scale", "Targets on a hard scale"
    needs = ("scales",)
    after, kind = 10, "replay"

    def examine(self, evidence: Evidence) -> Finding | None:
        """A lead, bad or slow learning, and a control that helps."""
        seen: Scales = evidence["scales"]
        as_is, then = seen.left_targets
        if not seen.targets or seen.trial_targets is None or not helped(seen.trial_targets, seen.left_targets, is_bad=seen.is_bad):
            return None
        return self.found(
            f"the targets lie about {seen.target_mean:.4g} with deviation {seen.target_std:.3g}, the network starts near 0; "
            f"after {seen.trial_targets.as_is.steps} replayed steps the loss is {as_is:.3g} times what a constant answer reaches, "
            f"with standardised targets {then:.3g} times",
            control="standardise the targets (subtract the training mean, divide by the deviation), and undo it when predicting",
            severity="error" if seen.is_bad else "warning",
            confidence="confirmed" if seen.is_bad else "suspected",
            where="targets",
            evidence={"mean": seen.target_mean, "std": seen.target_std, "loss_left": [as_is, then]},
            probe=seen.trial_targets.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Prices in cents."""
        x, y = curve()
        return watched(lambda: regressor(loader=loader(x, y * 1e4)), "targets with deviation 10,000")

    @classmethod
    def well(cls) -> Case:
        """Targets that are not standardised, and no harm."""
        x, y = curve()
        return watched(lambda: regressor(loader=loader(x, 3 * y + 2)), "targets about 2 with deviation 3")
