"""A checkpoint is whole or absent, whatever happens to the process and the disk."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.base.errors import LeadlineError
from leadline.training.checkpoint import Checkpoints

SmallDisk = Callable[[int], AbstractContextManager[None]]


def weights(step: int) -> dict[str, torch.Tensor]:
    return {"model/weight": torch.full((4, 3), float(step)), "random/torch": torch.arange(5, dtype=torch.uint8)}


def saved(folder: Path, *steps: int, best: tuple[int, ...] = ()) -> Checkpoints:
    checkpoints = Checkpoints(folder)
    for step in steps:
        checkpoints.save(step, weights(step), {"place": {"step": step}}, best=step in best)
    return checkpoints


def steps_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("step-"))


def flip(path: Path, byte: int) -> None:
    data = bytearray(path.read_bytes())
    data[byte % len(data)] ^= 1 << (byte % 8)
    path.write_bytes(data)


def test_what_was_saved_is_the_newest(tmp_path: Path) -> None:
    found = saved(tmp_path, 10, 20).newest()
    assert found is not None
    assert (found.step, found.state, found.skipped) == (20, {"place": {"step": 20}}, [])
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in weights(20).items())


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none").newest() is None
    assert Checkpoints(tmp_path).best() is None


def test_order_is_by_step_and_not_by_time(tmp_path: Path) -> None:
    saved(tmp_path, 10, 20)
    os.utime(tmp_path / "step-00000010", (2e9, 2e9))
    assert Checkpoints(tmp_path).newest().step == 20  # type: ignore[union-attr]


def test_a_second_save_of_a_step_stands_beside_the_first_and_wins(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10)
    checkpoints.save(10, weights(11), {"again": True})
    assert steps_in(tmp_path) == ["step-00000010", "step-00000010-2"]
    assert Checkpoints(tmp_path).newest().state == {"again": True}  # type: ignore[union-attr]


def test_last_and_best_point_where_they_say(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10, 20, 30, best=(10, 20))
    assert os.readlink(tmp_path / "last") == "step-00000030"
    assert os.readlink(tmp_path / "best") == "step-00000020"
    assert checkpoints.best().step == 20  # type: ignore[union-attr]


def test_rotation_keeps_two_the_best_and_the_last_finite(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10, 20, 30, 40, best=(20,))
    assert steps_in(tmp_path) == ["step-00000020", "step-00000030", "step-00000040"]
    for step in (50, 60):
        checkpoints.save(step, {"model/weight": torch.tensor([torch.nan])}, {})
    assert steps_in(tmp_path) == ["step-00000020", "step-00000040", "step-00000050", "step-00000060"]


def test_rotation_keeps_the_best_as_the_checkpoint_before_knows_it(tmp_path: Path) -> None:
    saved(tmp_path, 10, 20, 30, 40, best=(10, 40))
    assert steps_in(tmp_path) == ["step-00000010", "step-00000030", "step-00000040"]
    flip(tmp_path / "step-00000040" / "tensors.safetensors", 100)
    assert Checkpoints(tmp_path).newest().step == 30  # type: ignore[union-attr]
    assert Checkpoints(tmp_path).best().step == 10  # type: ignore[union-attr]


def test_rotation_deletes_nothing_that_it_did_not_write(tmp_path: Path) -> None:
    mine = ("step-00000001", "step-00000002/MANIFEST.json", "notes.txt", ".tmp-mine")
    for name in mine:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    saved(tmp_path, 10, 20, 30, 40)
    assert all((tmp_path / name).read_text() == "mine" for name in mine)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_flipped_bit_anywhere_is_caught(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("checkpoints")
    saved(folder, 10, 20)
    name = data.draw(st.sampled_from(["tensors.safetensors", "state.json", "MANIFEST.json"]))
    path = folder / "step-00000020" / name
    flip(path, data.draw(st.integers(0, path.stat().st_size * 8)))
    found = Checkpoints(folder).newest()
    assert found is not None
    assert found.step == 10
    assert len(found.skipped) == 1
    assert "step-00000020" in found.skipped[0]


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "MANIFEST.json"])
def test_a_truncated_or_missing_file_falls_back_to_the_one_before(tmp_path: Path, name: str) -> None:
    saved(tmp_path, 10, 20)
    path = tmp_path / "step-00000020" / name
    os.truncate(path, path.stat().st_size // 2)
    assert Checkpoints(tmp_path).newest().step == 10  # type: ignore[union-attr]
    path.unlink()
    assert Checkpoints(tmp_path).newest().step == 10  # type: ignore[union-attr]


def test_a_checkpoint_under_another_ones_name_is_not_taken(tmp_path: Path) -> None:
    saved(tmp_path, 10)
    shutil.copytree(tmp_path / "step-00000010", tmp_path / "step-00000099")
    found = Checkpoints(tmp_path).newest()
    assert found is not None
    assert found.step == 10


def test_when_all_are_damaged_each_is_named(tmp_path: Path) -> None:
    saved(tmp_path, 10, 20)
    for name in steps_in(tmp_path):
        flip(tmp_path / name / "tensors.safetensors", 50)
    with pytest.raises(LeadlineError, match=r"step-00000020.*SHA-256.*step-00000010") as caught:
        Checkpoints(tmp_path).newest()
    assert caught.value.code == "LL038"
    assert caught.value.exit_code == 1


def test_after_a_damaged_one_the_run_goes_on_and_the_links_are_right(tmp_path: Path) -> None:
    saved(tmp_path, 10, 20, 30)
    flip(tmp_path / "step-00000030" / "tensors.safetensors", 50)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(25, weights(25), {})
    assert os.readlink(tmp_path / "last") == "step-00000025"
    assert steps_in(tmp_path) == ["step-00000020", "step-00000025", "step-00000030"]
    checkpoints.save(30, weights(30), {})
    assert os.readlink(tmp_path / "last") == "step-00000030-2"
    assert steps_in(tmp_path) == ["step-00000025", "step-00000030-2"]


def test_a_full_disk_leaves_the_older_ones_and_no_remains(tmp_path: Path, files_no_larger_than: SmallDisk) -> None:
    checkpoints = saved(tmp_path, 10, 20)
    before = sorted(os.listdir(tmp_path))
    with files_no_larger_than(5000), pytest.raises(LeadlineError) as caught:
        checkpoints.save(30, {"model/weight": torch.zeros(10_000)}, {})
    assert caught.value.code == "LL008"
    assert sorted(os.listdir(tmp_path)) == before
    assert Checkpoints(tmp_path).newest().step == 20  # type: ignore[union-attr]
    checkpoints.save(30, weights(30), {})
    assert Checkpoints(tmp_path).newest().step == 30  # type: ignore[union-attr]


def test_more_than_the_disk_can_hold_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    huge = torch.empty(1).expand(2**50)  # a petabyte and more, in four bytes of memory
    with pytest.raises(LeadlineError) as caught:
        saved(tmp_path, 10).save(20, {"model/weight": huge}, {})
    assert caught.value.code == "LL008"
    assert steps_in(tmp_path) == ["step-00000010"]


def test_state_that_json_would_change_is_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(TypeError, match="text"):
        checkpoints.save(1, {}, {"optimizer": {0: "a"}})
    with pytest.raises(ValueError, match="best = inf"):
        checkpoints.save(1, {}, {"best": float("inf")})
    assert os.listdir(tmp_path) == []
    checkpoints.save(1, {}, {"betas": (0.9, 0.999), "lr": 0.1 + 0.2})
    assert checkpoints.newest().state == {"betas": [0.9, 0.999], "lr": 0.1 + 0.2}  # type: ignore[union-attr]


def test_files_have_the_mode_of_the_umask_and_equal_runs_write_equal_files(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    mode = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    for run in ("one", "two"):
        saved(tmp_path / run, 10)
    for path in (tmp_path / "one" / "step-00000010").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert path.read_bytes() == (tmp_path / "two" / "step-00000010" / path.name).read_bytes()


def test_what_a_killed_save_left_is_cleared(tmp_path: Path) -> None:
    saved(tmp_path, 10)
    for name in (".tmp-step-00000020", ".tmp-old-step-00000005", ".tmp-step-00000020-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tensors.safetensors").touch()
    (tmp_path / "last").unlink()
    Checkpoints(tmp_path).tidy()
    assert sorted(os.listdir(tmp_path)) == ["last", "step-00000010"]


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from leadline.training.checkpoint import Checkpoints
folder, chance = Path(sys.argv[1]), random.Random(0)
reading, writing = os.pipe()
def save_for_ever(first):
    checkpoints = Checkpoints(folder)
    for step in range(first, first + 1000):
        checkpoints.save(step, {"w": torch.full((100_000,), float(step))}, {"step": step}, best=step % 3 == 0)
        if step == first:
            os.write(writing, b"1")
last = 0
for kill in range(20):
    child = os.fork()
    if child == 0:
        save_for_ever(last + 1)
    os.read(reading, 1)
    time.sleep(chance.uniform(0.0, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = Checkpoints(folder).newest()
    assert found.step > last and found.state == {"step": found.step} and not found.skipped, (found, last)
    assert bool((found.tensors["w"] == found.step).all())
    last = found.step
print("whole")
"""


def test_a_kill_in_mid_save_leaves_a_newest_that_verifies(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "whole\n", done.stderr
