"""Whether a learning rate that a schedule took away would still bring the loss down, from here, on batches that the replay does not see."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.moment import Moment
from leadline.doctor.signals.schedule import Schedule
from leadline.doctor.twin import Twin

LOW = 20  # steps at a collapsed rate before anything is said
STEPS = 30
NEVER_UP = 0.1  # of the planned peak: a run that ends below it has not been through its warm-up


@dataclass(frozen=True)
class RateRestored:
    """why: what the schedule did, in words. since: the step it was done at. start: loss of the batches before training."""

    why: str
    since: int
    trial: Trial
    start: float

    @property
    def helps(self) -> bool:
        """Whether the restored rate brings a tenth of the first loss more, and far more than going on as it is."""
        gained = self.trial.as_is.after - self.trial.with_control.after
        kept_on = self.trial.as_is.before - self.trial.as_is.after
        return gained > max(0.1 * abs(self.start), 2 * kept_on)


def measure(scene: Scene) -> RateRestored:
    """Raises NotExamined where the rate did not collapse, NotReplayable."""
    schedule: Schedule = Evidence(scene)["schedule"]
    why, since = _why(schedule, ended=scene.ended)
    usable = [moment for moment in scene.moments if moment.script.problem is None]
    held = usable[1::2][-4:] or usable
    train = [moment for moment in usable if moment not in held] or usable
    start = scene.lab.mean_loss(scene.lab.at_start(), held)
    before = scene.lab.mean_loss(scene.lab.now(), held)
    curves = [_curve(scene, train, held, before, rate=rate) for rate in (None, schedule.peak, schedule.peak / 10)]
    best = min(curves[1:], key=lambda curve: curve.after if curve.after == curve.after else float("inf"))
    rate = schedule.peak if best is curves[1] else schedule.peak / 10
    return RateRestored(why, since, Trial(f"a learning rate of {rate:.3g} again", curves[0], best), start)


def _curve(scene: Scene, train: list[Moment], held: list[Moment], before: float, *, rate: float | None) -> Curve:
    twin = scene.lab.now()
    if rate is not None:
        _set_rate(twin, rate)
    replayed = scene.lab.curve(twin, train, steps=STEPS)
    return Curve(before, scene.lab.mean_loss(twin, held), replayed.losses, replayed.steps)


def _set_rate(twin: Twin, rate: float) -> None:
    for optimizer in twin.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def _why(schedule: Schedule, *, ended: bool) -> tuple[str, int]:
    done = len(schedule.heard)
    fell = schedule.collapsed_at
    if fell is not None and fell > 0 and done - fell >= max(LOW, fell) and not schedule.rises_again:
        return (
            f"the learning rate fell to {schedule.heard[-1]:.3g}, a hundredth of {schedule.peak:.3g} or less, at step {fell} of {done}",
            fell,
        )
    highest = max(schedule.heard)
    stays = all(rate <= NEVER_UP * schedule.peak for rate in schedule.ahead[: 9 * done]) and schedule.kind not in (
        "constant",
        "set by hand",
    )
    given = max(schedule.initial, highest)
    if highest <= NEVER_UP * given and (ended or stays) and done >= (50 if ended else 100):
        return f"the learning rate never came above {highest:.3g} in {done} steps, and its plan is {given:.3g}", 0
    raise NotExamined("the learning rate did not collapse")
