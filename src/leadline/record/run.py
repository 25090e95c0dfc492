"""The run folder: training writes it; the report, `compare`, the studio and other people's tools read it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from leadline.base.errors import InputError, LeadlineError
from leadline.base.spec import nearest
from leadline.record import files
from leadline.record.environment import git_commit, versions
from leadline.record.journal import Journal
from leadline.record.lock import Lock, holder
from leadline.record.names import name_run

Status = Literal["running", "finished", "stopped", "failed"]
HOME = Path("runs")
# What a run writes at its top: a folder given with --out that holds one of these would lose the user's own file.
OWN = """
    run.json recipe.yaml facts.json metrics.jsonl scores.json checks.json findings.json split.parquet predictions plots tensorboard
    log.txt report.html README.md checkpoints model
"""


class Run:
    """One run's folder. `start` and `take` lock it and may write; `open` only reads.

    folder: where it stands. journal: its metrics.jsonl.
    """

    def __init__(self, folder: Path, *, lock: Lock | None = None) -> None:
        self.folder = folder
        self.journal = Journal(folder / "metrics.jsonl")
        self._lock = lock
        self._since = time.monotonic()
        self._seconds = 0.0

    @classmethod
    def start(cls, *, out: Path | None, task: str | None, command: str, seed: int, device: str, recipe_text: str) -> Run:
        """Make a new run folder: `out`, or ./runs/NAME, with run.json ("running") and recipe.yaml in it, locked for this process.

        Raises InputError LL009 (`out` holds a run or files that a run would overwrite), LL007 (not writable), LL008 (disk full).
        """
        record = _first_record(task=task, command=command, seed=seed, device=device)
        try:
            folder = _fresh() if out is None else _given(Path(out))
            with _undone_on_error(folder, is_ours=out is None):
                was_begun = (folder / Lock.NAME).exists()
                run = cls(folder, lock=Lock(folder))
                _refuse_taken(folder, was_begun=was_begun)
                run.write("recipe.yaml", recipe_text)
                run.write("run.json", record)
        except OSError as error:
            raise files.refusal(error, Path(out or HOME), kind=InputError) from error
        except LeadlineError as error:  # before the first step even a full disk is something to put right in the command: exit 2
            raise InputError(error.code, error.message, where=error.where, help=error.help) from error
        return run

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """A run to read: its folder, or its name under ./runs. Raises InputError LL011 with the nearest run's name."""
        run = cls(_standing(Path(folder)))
        run.read("run.json")
        return run

    @classmethod
    def take(cls, folder: Path | str) -> Run:
        """A run to go on with, locked for this process. Raises InputError LL010 with the other's pid, LL011 when it is no run."""
        run = cls.open(folder)
        run._lock = Lock(run.folder)
        files.clear_asides(run.folder)
        run._seconds = float(run.read("run.json").get("seconds") or 0.0)
        return run

    def write(self, name: str, content: Any) -> Path:
        """Write a whole file of the run so that no reader ever sees a half: text and bytes as they are, all else as JSON.

        Raises ValueError for NaN or infinity (naming the key), LeadlineError LL008 when the disk is full.
        """
        if self._lock is None:
            raise RuntimeError(f"{self.folder} was opened for reading; Run.take opens it for writing")
        path = self.path(name)
        if isinstance(content, bytes):
            data = content
        else:
            data = content.encode() if isinstance(content, str) and path.suffix != ".json" else files.to_json(content, name=name)
        files.write_atomic(path, data)
        return path

    def read(self, name: str) -> Any:
        """A file of the run: parsed when it is JSON, else its text. Raises InputError LL011 when it is missing or damaged."""
        path = self.folder / name
        try:
            text = path.read_text(encoding="utf-8")
            return json.loads(text) if path.suffix == ".json" else text
        except FileNotFoundError:
            help = f"leadline resume {self.folder}  finishes the run"
            raise InputError("LL011", f"{self.folder} holds no {name}", where=str(self.folder), help=help) from None
        except (ValueError, IsADirectoryError) as error:
            raise InputError(
                "LL011", f"{name} of the run is damaged: {error}", where=str(path), help="bring the file back from a copy, or train again"
            ) from None

    def update(self, **fields: Any) -> None:
        """Change fields of run.json (status, task, device, energy_wh, ...). seconds: the time worked on the run, over all its processes."""
        record = {**self.read("run.json"), "seconds": round(self._seconds + time.monotonic() - self._since, 3), **fields}
        self.write("run.json", record)

    def path(self, *parts: str) -> Path:
        """A place in the run folder; the folder that holds it is made when this process may write."""
        path = self.folder.joinpath(*parts)
        if self._lock is not None:
            with files.storing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, text: str) -> None:
        """Add to log.txt, each line with the time. The log is a diary: it keeps what happened before a kill, too."""
        stamp = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
        files.append(self.path("log.txt"), "".join(f"{stamp}  {line}\n" for line in text.splitlines() or [""]).encode())

    def finish(self, status: Status) -> None:
        """Write the last status and let go of the folder, also when the disk is too full to write it."""
        try:
            self.update(status=status)
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the folder without a word in it."""
        self.journal.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def runs_in(folder: Path = HOME) -> list[Path]:
    """The run folders directly in `folder`, oldest first by name."""
    return sorted(path.parent for path in Path(folder).glob("*/run.json"))


def status_of(run: Run) -> Status:
    """What a run is doing: as run.json has it, but "stopped" where it says "running" and no process holds the folder (it was killed)."""
    said: Status = run.read("run.json")["status"]
    return "stopped" if said == "running" and holder(run.folder) is None else said


def load_metrics(run: Run) -> list[dict[str, Any]]:
    """All rows of metrics.jsonl, in the order written; numbers that JSON cannot hold come back as nan and inf."""
    return run.journal.read()


def _first_record(*, task: str | None, command: str, seed: int, device: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "status": "running",
        "task": task,
        "command": command,
        "versions": versions(),
        "seed": seed,
        "device": device,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": 0.0,
        "energy_wh": None,
        "git": git_commit(),
    }


@contextmanager
def _undone_on_error(folder: Path, *, is_ours: bool) -> Generator[None]:
    """A run that could not begin leaves no folder of its own making behind."""
    try:
        yield
    except BaseException:
        if is_ours:
            shutil.rmtree(folder)
        raise


def _fresh() -> Path:
    """A folder under ./runs that did not exist before."""
    HOME.mkdir(exist_ok=True)
    while True:
        folder = HOME / name_run(datetime.now())
        try:
            folder.mkdir()
        except FileExistsError:
            continue  # the same minute and the same two words: draw again
        return folder


def _given(out: Path) -> Path:
    if out.exists() and not out.is_dir():
        raise InputError("LL007", f"{out} is a file, and a run needs a folder", where=f"--out {out}", help="choose another with --out")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _refuse_taken(folder: Path, *, was_begun: bool) -> None:
    standing = [name for name in OWN.split() if (folder / name).exists()]
    if not standing or (was_begun and standing == ["recipe.yaml"]):  # the latter: a start that was killed before it wrote run.json
        return
    what = "holds a run already" if "run.json" in standing else f"holds {', '.join(standing[:3])}, which a run would overwrite"
    help = f"leadline resume {folder}  goes on with it" if "run.json" in standing else "choose a new folder with --out"
    raise InputError("LL009", f"{folder} {what}", where=f"--out {folder}", help=help)


def _standing(folder: Path) -> Path:
    """The folder as given or under ./runs, when it holds a run.json."""
    for place in (folder, HOME / folder):
        if (place / "run.json").is_file():
            return place
    known = [*runs_in(folder.parent), *runs_in(folder), *runs_in(HOME)]
    close = nearest(folder.name, [path.name for path in known]) if known else None
    found = next((path for path in known if path.name == close), known[-1] if known else None)
    what = "holds no run.json" if folder.is_dir() else "does not exist"
    help = f"did you mean  {found}  ?" if found else "leadline train DATA  makes a run under ./runs"
    raise InputError("LL011", f"{folder} is not a run folder: it {what}", where=str(folder), help=help)
