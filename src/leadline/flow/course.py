"""The course of a run: the preflight, then the loop with the doctor around it; under `--heal` again after each cure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from leadline.base.errors import Blocked, LeadlineError, Stopped
from leadline.flow.heal import Healer
from leadline.flow.leaps import Heedful
from leadline.flow.preflight import Preflight, preflight
from leadline.flow.prepare import prepare
from leadline.flow.setup import Rig, changed, set_up
from leadline.flow.watching import watched
from leadline.record.run import Run
from leadline.record.sink import Feed
from leadline.training.checkpoint import Checkpoints, Saved
from leadline.training.loop import Fitted, fit
from leadline.training.watchers import Epoch

Say = Callable[[str], None]
OTHER_DATA = ("data.", "task", "train.class_weights", "train.label_smoothing", "train.loss")  # keys under which the data is read anew


@dataclass(frozen=True)
class Course:
    """What a run's training needs beside its rig. run: None on processes that do not write. opened: closes stores at the end.

    write_start: writes recipe and facts of a changed rig into the run.
    """

    run: Run | None
    checkpoints: Checkpoints
    stop: Callable[[], bool]
    tell: Say
    opened: ExitStack
    write_start: Callable[[Rig], None]
    healer: Healer | None = None


def checked(rig: Rig, course: Course) -> Rig:
    """Ask the preflight's questions; a blocking no stops all processes, unless the healer knows a cure. The rig to go on with."""
    run, healer = course.run, course.healer
    while True:
        asked = _asked(rig, course)
        (told,) = rig.world.told([float(asked.blocks if asked else 0)])
        if not told:
            return rig
        for finding in asked.findings if asked and healer else ():
            if healer is not None and finding.severity == "error":
                healer.consider(finding)
        if healer is None or healer.wanted is None:
            what = asked.findings[0].explanation if asked and asked.findings else "see the first process"
            where = str(run.folder if run else "")
            raise Blocked("LL033", f"the preflight found a blocking problem: {what}", where=where, help=_way_on(asked))
        rig, _ = _again(rig, course, healer)


def trained(rig: Rig, course: Course, saved: Saved | None) -> tuple[Rig, Fitted]:
    """Train to the end, through as many cures as it takes and there may be; the rig that it ended with."""
    healer = course.healer
    while True:
        try:
            fitted = _fit(rig, course, saved)
        except (Stopped, LeadlineError) as error:
            if healer is None or course.stop() or not healer.answer(error):
                raise
            rig, saved = _again(rig, course, healer)
            continue
        if healer is not None and healer.wants_another_course():
            rig, saved = _again(rig, course, healer)
            continue
        if healer is not None:
            healer.courses.close(course.tell)
        return rig, fitted


def _again(rig: Rig, course: Course, healer: Healer) -> tuple[Rig, Saved | None]:
    """Under the changed recipe, from where the healer says."""
    assert healer.wanted is not None
    recipe, keys = healer.apply(rig.recipe), tuple(healer.wanted.changes)
    saved = healer.begin_again(rig.recipe, course.checkpoints)
    if any(key.startswith(OTHER_DATA) for key in keys):
        prepared = prepare(recipe, device=rig.prepared.device)
        rig = set_up(prepared, folder=healer.run.folder / "cache", world=rig.world, say=course.tell)
        course.opened.enter_context(rig.store)
    else:
        rig = changed(rig, recipe)
    course.write_start(rig)
    return rig, saved


def _asked(rig: Rig, course: Course) -> Preflight | None:
    """The preflight, on the process that writes."""
    run = course.run
    if run is None:
        return None
    asked = preflight(rig, schedule_plot=run.path("plots", "schedule.png"), say=course.tell)
    run.write("checks.json", asked.to_dict())
    run.write("findings.json", [finding.to_dict() for finding in asked.findings])
    return asked


def _way_on(asked: Preflight | None) -> str | None:
    if asked is None or not asked.findings:
        return None
    first = asked.findings[0]
    return f"{first.control.text}; or accept it:  check.ignore={{{first.code}: reason}}"


def _fit(rig: Rig, course: Course, saved: Saved | None) -> Fitted:
    """One course of training, with the doctor around it."""
    run, healer, tell = course.run, course.healer, course.tell
    feed = Feed(run.folder, "tensorboard") if run else None
    names = rig.prepared.examples.names

    def on_epoch(epoch: Epoch) -> None:
        tell(epoch_line(epoch, rig))
        if feed is not None:
            feed.send()

    try:
        with watched(rig, run, start=saved.step if saved else 0, tell=tell, act=healer.consider if healer else None) as ward:

            def on_event(event: dict[str, Any]) -> None:
                if event["kind"] == "nonfinite" and ward is not None:
                    found = ward.nonfinite(event)
                    if healer is not None:
                        healer.bad = found
                if not event.get("stops"):  # else the error says it
                    tell(f"event: {event}")

            return fit(
                rig.model,
                rig.prepared.task,
                rig.batches,
                rig.recipe.train,
                optimizers=rig.optimizers,
                schedule=rig.schedule,
                precision=rig.precision,
                device=rig.device,
                journal=_journal(run, healer),
                checkpoints=course.checkpoints,
                validate=rig.validate if len(rig.prepared.split.val) else None,
                stop=lambda: course.stop() or (healer is not None and healer.wanted is not None),
                on_epoch=on_epoch,
                on_event=on_event,
                unfreeze=rig.unfreeze if rig.recipe.model.unfreeze_every else None,
                name_of=lambda index: str(names[index]),
                world=rig.world,
                state=saved,
                leave_out=healer.left_out if healer else frozenset(),
            )
    finally:
        if feed is not None:
            feed.close()


def _journal(run: Run | None, healer: Healer | None) -> Any:
    """Where rows go; other processes than the first write nothing."""
    return run and (Heedful(run, healer) if healer else run.journal)


def epoch_line(epoch: Epoch, rig: Rig) -> str:
    """One plain line per epoch."""
    first = rig.prepared.task.metrics[0]
    parts = [f"epoch {epoch.number}/{epoch.of}"]
    if epoch.train_loss is not None:
        parts.append(f"loss {epoch.train_loss:.4g}")
    for name in ("loss", first):
        if name in epoch.scores:
            parts.append(
                f"val {name} {epoch.scores[name]:.4g}" if abs(epoch.scores[name]) < 1e4 else f"val {name} {epoch.scores[name]:,.0f}"
            )
    parts += [f"lr {epoch.lr:.2g}", f"{epoch.seconds:.1f} s"]
    return "  ".join(parts) + ("  best" if epoch.is_best else "")
