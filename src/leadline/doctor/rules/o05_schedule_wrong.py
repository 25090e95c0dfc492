"""O05: the schedule takes the learning rate away early, or never brings it up: with the rate restored the loss falls on."""

from __future__ import annotations

import torch

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.check import default_step
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.schedule import Schedule
from leadline.record.finding import Finding


class ScheduleWrong(Rule):
    """The learning rate follows a plan made for another unit of time: per batch instead of per epoch, or for another number of steps.

    What it sees: the heard rate fell to a hundredth of its peak before half of the run, or never came above a tenth of what is planned;
    and a
    replay with the rate restored takes unseen recorded batches plainly further. The scheduler's future is played on a dummy optimizer.
    Why it hurts: nothing is learnt while the rate is next to nothing.
    What to do: call scheduler.step() once per what its numbers count (epochs or batches), and give it the run's own length.
    When it is wrong: the end of a cosine or a linear decay is short beside the run, and a network that is done gains nothing from more
    rate.
    """

    code, cause, title = "O05", "schedule_wrong", "Learning-rate schedule wrong"
    needs = ("schedule", "rate_restored")
    after = 20
    kind = "replay"
    explained_by = ("O08",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A collapsed rate that does harm, or a cosine that goes up and down within an epoch."""
        schedule: Schedule = evidence["schedule"]
        try:
            restored = evidence["rate_restored"]
        except NotExamined:
            return self._oscillates(schedule)
        if not restored.helps:
            return None
        unit = f"{schedule.kind} is stepped per {schedule.per}" if schedule.calls else "the rate is set by hand"
        return self.found(
            f"{restored.why} ({unit}); {restored.trial.in_words}",
            control=_control(schedule),
            step=restored.since,
            evidence={"peak": schedule.peak, "now": schedule.heard[-1], "calls": schedule.calls, "period": schedule.period},
            probe=restored.trial.to_dict(),
            set={"train.schedule": "constant"},
        )

    def _oscillates(self, schedule: Schedule) -> Finding | None:
        """T_max counted in epochs and stepped per batch: the cosine has come back up several times within one epoch."""
        if schedule.kind != "CosineAnnealingLR" or schedule.per != "step" or not schedule.period or not schedule.epoch:
            return None
        if schedule.period >= schedule.epoch or schedule.calls < 4 * schedule.period:
            return None
        return self.found(
            f"CosineAnnealingLR has T_max={schedule.period} and is stepped per batch, {schedule.epoch} times an epoch: the rate goes down "
            f"and up again every {2 * schedule.period} batches",
            control="T_max = epochs * len(loader), or scheduler.step() once per epoch",
            severity="warning",
            confidence="suspected",
            step=schedule.period,
        )

    @classmethod
    def sick(cls) -> Case:
        """StepLR meant per epoch, stepped per batch."""

        def make() -> Bench:
            bench = classifier(steps=120)
            bench.optimizer = torch.optim.SGD(bench.model.parameters(), lr=0.02)
            schedule = torch.optim.lr_scheduler.StepLR(bench.optimizer, 5, 0.1)
            bench.step = lambda *given: (default_step(*given), schedule.step())
            return bench

        return watched(make, "StepLR(5) stepped per batch")

    @classmethod
    def well(cls) -> Case:
        """A cosine to zero over exactly the run."""

        def make() -> Bench:
            bench = classifier(steps=120)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(bench.optimizer, 120)
            bench.step = lambda *given: (default_step(*given), schedule.step())
            return bench

        return watched(make, "a cosine that ends at zero with the run")


def _control(schedule: Schedule) -> str:
    if schedule.per == "step" and schedule.calls:
        return (
            "call scheduler.step() once per epoch if its numbers count epochs, or give it numbers that count batches (epochs * len(loader))"
        )
    return "give the scheduler the length of this run in the unit that it is stepped in"
