"""One run, told top to bottom: look, check, train, evaluate, report; and the same story taken up again after a stop."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from leadline import recipe as recipes
from leadline.base.errors import InputError, Stopped
from leadline.data.preview import preview
from leadline.data.sides import write as write_split
from leadline.flow.conclude import conclude
from leadline.flow.course import Course, checked, trained
from leadline.flow.heal import Healer
from leadline.flow.preflight import preflight
from leadline.flow.prepare import Prepared, prepare
from leadline.flow.setup import Rig, set_up
from leadline.models.summary import summary
from leadline.recipe import Recipe
from leadline.record.environment import versions
from leadline.record.fingerprint import differences, fingerprint, refuse_change
from leadline.record.run import Run, Status
from leadline.report.plots import plot_schedule
from leadline.training.checkpoint import Checkpoints, Saved
from leadline.training.distributed import World, plain_words, start
from leadline.training.loop import agree
from leadline.training.signals import StopFlag
from leadline.training.threads import threads_kept

Say = Callable[[str], None]


def train(recipe: Recipe, *, out: Path | None = None, device: str = "auto", command: str, say: Say, heal: bool = False) -> Path:
    """Train one run from a recipe and return its folder. heal: let the doctor apply its controls (heal.json tells).

    Raises InputError before the folder exists, Blocked when a check says no, Stopped when a signal came (the state is saved), and
    LeadlineError when training failed; in each of these the folder says what happened.
    """
    if heal and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("LL030", "--heal and several processes: a run is healed by one process alone", help="leave one of them out")
    prepared = prepare(recipe, device=device)
    with joined(prepared) as world:
        run = _begin(prepared, out=out, command=command) if world.is_main else None
        if run is not None and heal:
            run.update(heal=True)
        return _carry_out(prepared, run, world=world, say=say if world.is_main else _nothing)


def resume(folder: Path, *, allow_change: bool = False, say: Say) -> Path:
    """Go on where a stopped or killed run was, bit for bit on a CPU; a finished run is left as it is.

    Raises InputError LL011 (no run), LL010 (in use), LL012 (recipe, data or versions changed, unless `allow_change`, which is recorded).
    """
    found = Run.open(folder)
    if found.read("run.json")["status"] == "finished" and (found.folder / "report.html").exists():
        say(f"{found.folder} is finished: nothing is left to do")
        return found.folder
    is_main = int(os.environ.get("RANK", "0")) == 0
    run = Run.take(folder) if is_main else None  # before the data is read: a second process is refused at once
    with _released_on_error(run):
        recipe = recipes.read(found.folder / "recipe.yaml")
        if recipe.data.source is None:
            raise InputError("LL012", f"{folder} was trained on objects in memory, which are gone", where=str(folder), help="train again")
        prepared = prepare(recipe, device=found.read("run.json")["device"])
    with joined(prepared) as world:
        return _carry_out(prepared, run, world=world, say=say if is_main else _nothing, resumed=True, allow_change=allow_change)


def check(recipe: Recipe, *, device: str = "auto", say: Say) -> tuple[dict[str, Any], list[Any], bool]:
    """The preflight alone: (answers by question, findings worst first, whether one blocks). Leaves no file behind."""
    prepared = prepare(recipe, device=device)
    with threads_kept():
        rig = set_up(prepared, folder=None, world=World(), say=say)
        with rig.store:
            asked = preflight(rig, schedule_plot=None, say=say)
    return asked.to_dict(), list(asked.findings), asked.blocks


@contextmanager
def joined(prepared: Prepared) -> Iterator[World]:
    """The processes that torchrun started, as one; a world of one without it."""
    world = start(torch.device(prepared.device))
    try:
        with plain_words(world):
            yield world
    finally:
        world.finish()


def _begin(prepared: Prepared, *, out: Path | None, command: str) -> Run:
    run = Run.start(
        out=out,
        task=prepared.recipe.task,
        command=command,
        seed=prepared.recipe.train.seed,
        device=prepared.device,
        recipe_text=recipes.to_yaml(prepared.recipe),
    )
    write_split(prepared.split, prepared.examples, run.folder)
    return run


def _carry_out(prepared: Prepared, run: Run | None, *, world: World, say: Say, resumed: bool = False, allow_change: bool = False) -> Path:
    """The run itself. run: None on the processes that do not write."""
    with threads_kept(), _recorded(run, world, resumed=resumed) as folder, plain_words(world), StopFlag() as stop, ExitStack() as opened:
        tell = _teller(run, say)
        checkpoints = Checkpoints(folder / "checkpoints")
        with stop.at_once():
            if run is not None:
                run.update(status="running")
            tell(f"run: {folder}")
            rig = set_up(prepared, folder=folder / "cache", world=world, say=tell)
            opened.enter_context(rig.store)
            if run is not None:
                _write_start(run, rig, tell=_nothing if resumed else tell, allow_change=allow_change)  # told once
            saved = _saved(checkpoints, run, world, tell=tell) if resumed else None
            course = Course(run, checkpoints, stop, tell, opened, partial(_write_changed, run), _healer(run, tell))
            if saved is None:
                rig = checked(rig, course)
        rig, fitted = trained(rig, course, saved)
        with stop.at_once():
            if run is not None:
                conclude(rig, run, fitted, say=tell)
            world.told([1.0])  # nobody leaves before the run stands whole: who does may read it, or take the others with it
        tell(f"run: {folder}")
    return folder


def _saved(checkpoints: Checkpoints, run: Run | None, world: World, *, tell: Say) -> Saved | None:
    """The checkpoint to go on from, the same one on all processes; None where the run was stopped before its first."""
    if run is not None:
        checkpoints.tidy()
    saved = checkpoints.newest()
    agree(world, None if saved is None else saved.step)
    for skipped in saved.skipped if saved else ():
        tell(f"checkpoint skipped: {skipped}")
    if saved is not None:
        tell(f"resumed behind step {saved.step}")
    return saved


def _healer(run: Run | None, tell: Say) -> Healer | None:
    """For a run that was begun with --heal, also when it is taken up again."""
    return Healer(run, tell) if run is not None and run.read("run.json").get("heal") else None


def _write_changed(run: Run | None, rig: Rig) -> None:
    """The start of a course under a changed recipe; the change is recorded in run.json."""
    assert run is not None
    _write_start(run, rig, tell=_nothing, allow_change=True)


def _write_start(run: Run, rig: Rig, *, tell: Say, allow_change: bool) -> None:
    """All that is known before the first step: recipe, facts, fingerprint, layer table, planned schedule."""
    prepared = rig.prepared
    layers = summary(rig.model, rig.batches.example_batch(1).inputs)
    now = _fingerprint(run, rig, allow_change=allow_change)
    run.write("recipe.yaml", recipes.to_yaml(rig.recipe))
    run.write("fingerprint.json", now)  # after the recipe: a kill between the two must not leave a print of a recipe that is not there
    guesses = [asdict(guess) for guess in prepared.guesses]
    split = {"how": prepared.split.how, "counts": {k: len(v) for k, v in prepared.split.sides().items()}, "hashes": prepared.split.hashes()}
    facts = prepared.facts.to_dict()
    facts["problems"] = [asdict(problem) for problem in (*prepared.facts.problems, *prepared.split.problems)]
    run.write(
        "facts.json",
        {
            "facts": facts,
            "split": split,
            "preparer": prepared.preparer.to_dict(),
            "guesses": guesses,
            "layers": layers.to_dict(),
            "measured": rig.measured,
            "store": {"kind": rig.store.kind, "reason": rig.store.reason, "bytes": rig.store.bytes},
        },
    )
    plot_schedule(rig.schedule, run.path("plots", "schedule.png"))
    if rig.batches.augment.changes or rig.batches.augment.mixes:
        Image.fromarray(preview(rig.batches)).save(run.path("plots", "augmentation.png"))
    for guess in prepared.guesses:
        tell(f"chose {guess.what}: {guess.evidence}; override: {guess.override}")
    tell(f"split: {prepared.split.how}: " + ", ".join(f"{count:,} {side}" for side, count in split["counts"].items()))
    for problem in facts["problems"]:
        tell(f"data: {problem['count']:,} {problem['kind']}: {problem['explanation']}")
    tell(layers.table())
    tell(rig.optimizers.table())
    tell(f"precision: {_precision_words(rig)}")


def _fingerprint(run: Run, rig: Rig, *, allow_change: bool) -> dict[str, Any]:
    """What decides this run's bits; refused (LL012) when it was something else before, unless that is allowed and then recorded."""
    now = fingerprint(
        rig.recipe.model_dump(mode="json", exclude={"data": {"source"}}),
        rig.prepared.split.hashes(),
        versions=versions(),
        threads=torch.get_num_threads(),
        device=rig.prepared.device,
        world=rig.world.size,
    )
    if (run.folder / "fingerprint.json").exists():
        before = run.read("fingerprint.json")
        if not allow_change:
            refuse_change(before, now, where=str(run.folder))
        changed = differences(before, now)
        if changed:
            run.update(changed=[*run.read("run.json").get("changed", []), *changed])
    return now


@contextmanager
def _recorded(run: Run | None, world: World, *, resumed: bool) -> Iterator[Path]:
    """Within: the run. After: its status says how it ended, and its lock is free. A refusal to go on leaves the status as it was."""
    before = run.read("run.json")["status"] if run and resumed else "failed"
    folder = Path(_told_text(world, str(run.folder) if run else ""))
    try:
        yield folder
    except BaseException as error:
        if isinstance(error, Stopped):
            error.where, error.help = str(folder), f"leadline resume {shlex.quote(str(folder))}"
        if run is not None:
            run.log(str(error) or type(error).__name__)
            run.finish(_ending(error, before))
        raise
    if run is not None:
        run.finish("finished")


def _ending(error: BaseException, before: Status) -> Status:
    """What a run is after an error. before: its status when this process took it up."""
    if isinstance(error, Stopped | KeyboardInterrupt) or (isinstance(error, InputError) and before == "running"):  # it was killed
        return "stopped"
    return before if isinstance(error, InputError) else "failed"


@contextmanager
def _released_on_error(run: Run | None) -> Iterator[None]:
    """A run that cannot be gone on with stays as it was, and free for others."""
    try:
        yield
    except BaseException:
        if run is not None:
            run.release()
        raise


def _told_text(world: World, text: str) -> str:
    """Rank 0's text on every rank."""
    if world.size == 1:
        return text
    (length,) = world.told([float(len(text.encode()))])
    codes = world.told([float(code) for code in text.encode()] if text else [0.0] * int(length))
    return bytes(int(code) for code in codes).decode()


def _teller(run: Run | None, say: Say) -> Say:
    def tell(text: str) -> None:
        say(text)
        if run is not None:
            run.log(text)

    return tell


def _precision_words(rig: Rig) -> str:
    chosen = f"{rig.precision.name}{', channels-last' if rig.precision.channels_last else ''}"
    matmul = "" if rig.precision.matmul == "highest" else f", matmul {rig.precision.matmul}"
    kinds = ("ms_by_threads", "ms_per_step", "ms_by_attention")
    times = {name: time for kind in kinds for name, time in rig.measured.get(kind, {}).items()}
    measured = ", ".join(f"{name} {time} ms" for name, time in times.items())
    threads = f", {torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}" if rig.device.type == "cpu" else ""
    return f"{chosen}{matmul}{threads}" + (f" (measured per step: {measured})" if measured else "")


def _nothing(text: str) -> None:
    """Other processes than the first say nothing."""
