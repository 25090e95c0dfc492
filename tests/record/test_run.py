"""The run folder: never silently reused, one process, whole files."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from leadline.base.errors import InputError, LeadlineError
from leadline.record.lock import holder
from leadline.record.run import Run, load_metrics, runs_in, status_of

SmallDisk = Callable[[int], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(out: Path | None = None) -> Run:
    return Run.start(out=out, task="classify_images", command="leadline train digits", seed=7, device="cpu", recipe_text="schema: 1\n")


def code(error: pytest.ExceptionInfo[LeadlineError]) -> str:
    return error.value.code


def test_a_new_run_is_named_by_time_and_two_words_under_runs() -> None:
    run = start()
    assert re.fullmatch(r"runs/\d{8}-\d{4}-[a-z]+-[a-z]+", str(run.folder))
    assert (run.folder / "recipe.yaml").read_text() == "schema: 1\n"


def test_run_json_has_the_promised_fields_and_keeps_further_ones() -> None:
    run = start(Path("here"))
    run.update(device="cuda", note="mine")
    record = json.loads(Path("here/run.json").read_text())
    promised = ["schema", "status", "task", "command", "versions", "seed", "device", "started", "seconds", "energy_wh", "git"]
    assert [*record] == [*promised, "note"]
    assert record["status"] == "running"
    assert record["device"] == "cuda"
    assert {"python", "torch", "numpy"} <= {*record["versions"]}
    run.finish("finished")
    assert Run.open("here").read("run.json")["status"] == "finished"


def test_seconds_add_up_over_the_processes_that_worked_on_a_run() -> None:
    run = start(Path("here"))
    run.finish("stopped")
    Path("here/run.json").write_text(json.dumps({**run.read("run.json"), "seconds": 100.0}))
    again = Run.take("here")
    again.finish("finished")
    assert 100.0 <= again.read("run.json")["seconds"] < 110.0


def test_two_runs_of_the_same_minute_get_folders_of_their_own() -> None:
    assert len({start().folder for _ in range(20)}) == 20
    assert len(runs_in()) == 20


def test_a_folder_that_holds_a_run_is_refused() -> None:
    start(Path("here")).finish("finished")
    with pytest.raises(InputError) as caught:
        start(Path("here"))
    assert code(caught) == "LL009"
    assert Run.open("here").read("run.json")["status"] == "finished"


def test_a_folder_whose_files_a_run_would_overwrite_is_refused_and_others_are_welcome() -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("keep")
    start(Path("mine"))
    Path("project").mkdir()
    Path("project/README.md").write_text("my project")
    with pytest.raises(InputError, match=r"README.md") as caught:
        start(Path("project"))
    assert code(caught) == "LL009"
    assert Path("project/README.md").read_text() == "my project"


def test_a_start_that_was_killed_before_it_was_a_run_can_be_repeated() -> None:
    start(Path("here")).finish("stopped")
    Path("here/run.json").unlink()
    start(Path("here"))


def test_a_killed_run_is_stopped_whatever_its_file_says() -> None:
    run = start(Path("here"))
    assert status_of(Run.open("here")) == "running"
    assert run._lock is not None
    run._lock.release()  # what the system does for a killed process
    assert status_of(Run.open("here")) == "stopped"


def test_an_out_that_is_a_file_or_lies_in_one_is_refused() -> None:
    Path("photo.png").touch()
    for out in (Path("photo.png"), Path("photo.png/run")):
        with pytest.raises(InputError) as caught:
            start(out)
        assert code(caught) == "LL007"


READ_ONLY = """
import os, sys
from pathlib import Path
from leadline.base.errors import InputError
from leadline.record.environment import versions
from leadline.record.run import Run
versions()  # what is imported late is imported before
if os.getuid() == 0:
    os.setuid(65534)  # root may write anywhere: become nobody
try:
    Run.start(out=Path(sys.argv[1]) / "sub" / "run", task=None, command="x", seed=0, device="cpu", recipe_text="")
except InputError as error:
    print(error.code, error.exit_code)
"""


def test_a_read_only_parent_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        done = subprocess.run([sys.executable, "-c", READ_ONLY, folder], capture_output=True, text=True, check=False)
        assert done.stdout == "LL007 2\n", done.stderr


def test_a_disk_that_is_full_at_the_start_is_wrong_input_and_leaves_no_folder(files_no_larger_than: SmallDisk) -> None:
    with files_no_larger_than(10), pytest.raises(InputError) as caught:
        start()
    assert code(caught) == "LL008"
    assert list(Path("runs").iterdir()) == []


OTHER = """
import sys
from leadline.record.run import Run
run = Run.take(sys.argv[1])
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_with_the_pid_of_the_first() -> None:
    start(Path("here")).finish("stopped")
    with subprocess.Popen([sys.executable, "-c", OTHER, "here"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(InputError, match=f"pid {other.pid}") as caught:
            Run.take("here")
        assert code(caught) == "LL010"
        assert holder(Path("here")) == other.pid
        assert Run.open("here").read("run.json")["status"] == "stopped"
        other.kill()
    assert holder(Path("here")) is None
    Run.take("here").finish("finished")


FORKED = """
import os, signal, sys, time
from leadline.record.run import Run
run = Run.take("here")
if os.fork() == 0:
    print("worker", flush=True)
    time.sleep(30)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_that_outlives_a_killed_run_does_not_hold_the_folder() -> None:
    start(Path("here")).finish("stopped")
    with subprocess.Popen([sys.executable, "-c", FORKED], stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "worker\n"
        try:
            parent.wait()
            Run.take("here").finish("finished")
        finally:
            os.killpg(parent.pid, 9)


def test_a_run_is_found_by_path_or_by_its_name_under_runs() -> None:
    run = start()
    assert Run.open(run.folder.name).folder == run.folder
    assert Run.open(run.folder).folder == run.folder


def test_a_misspelt_run_is_refused_with_the_nearest_name() -> None:
    run = start()
    with pytest.raises(InputError) as caught:
        Run.open(f"runs/{run.folder.name[:-2]}")
    assert code(caught) == "LL011"
    assert run.folder.name in (caught.value.help or "")
    with pytest.raises(InputError) as caught:
        Run.take("runs")
    assert code(caught) == "LL011"


def test_a_damaged_run_json_is_refused() -> None:
    start(Path("here")).finish("stopped")
    Path("here/run.json").write_text('{"schema": 1,')
    with pytest.raises(InputError, match="damaged") as caught:
        Run.open("here")
    assert code(caught) == "LL011"


def test_a_file_that_the_run_does_not_hold_is_named() -> None:
    with pytest.raises(InputError, match=r"scores.json") as caught:
        start(Path("here")).read("scores.json")
    assert code(caught) == "LL011"


def test_text_bytes_and_json_are_written_and_read() -> None:
    run = start(Path("here"))
    run.write("README.md", "# Card\n")
    run.write("plots/curve.png", b"\x89PNG")
    run.write("model/labels.json", {"classes": ["ä"]})
    assert run.read("README.md") == "# Card\n"
    assert Path("here/plots/curve.png").read_bytes() == b"\x89PNG"
    assert run.read("model/labels.json") == {"classes": ["ä"]}


def test_a_score_that_is_no_number_is_refused_and_the_old_file_stands() -> None:
    run = start(Path("here"))
    run.write("scores.json", {"test": {"r2": 0.5}})
    with pytest.raises(ValueError, match=r"test.r2 = nan"):
        run.write("scores.json", {"test": {"r2": math.nan}})
    assert run.read("scores.json") == {"test": {"r2": 0.5}}


def test_a_run_opened_for_reading_writes_nothing() -> None:
    start(Path("here")).finish("finished")
    with pytest.raises(RuntimeError, match="reading"):
        Run.open("here").write("scores.json", {})


def test_a_full_disk_at_the_end_still_lets_go_of_the_folder(files_no_larger_than: SmallDisk) -> None:
    run = start(Path("here"))
    with files_no_larger_than(10), pytest.raises(LeadlineError):
        run.finish("failed")
    Run.take("here").finish("failed")


def test_what_a_killed_write_left_goes_when_the_run_is_taken() -> None:
    start(Path("here")).finish("stopped")
    Path("here/.tmp-run.json-123").touch()
    Run.take("here")
    assert not Path("here/.tmp-run.json-123").exists()


def test_the_log_keeps_every_line_with_its_time() -> None:
    run = start(Path("here"))
    run.log("started\nepoch 1")
    lines = Path("here/log.txt").read_text().splitlines()
    assert [line[21:] for line in lines] == ["started", "epoch 1"]


def test_metrics_are_read_from_a_run() -> None:
    run = start(Path("here"))
    run.journal.write([{"step": 1, "split": "train", "loss": 0.5}])
    assert load_metrics(Run.open("here")) == [{"step": 1, "split": "train", "loss": 0.5}]


def test_opening_runs_needs_no_torch_and_no_numpy() -> None:
    script = "import sys, leadline.record.run; print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
