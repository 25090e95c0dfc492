"""Whole files, or none."""

from __future__ import annotations

import errno
import math
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from leadline.base.errors import InputError, LeadlineError
from leadline.record.files import append, clear_asides, refusal, storing, to_json, write_atomic

SmallDisk = Callable[[int], AbstractContextManager[None]]


def test_a_written_file_holds_the_bytes_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_atomic(tmp_path / "scores.json", b"one")
    write_atomic(tmp_path / "scores.json", b"two")
    assert (tmp_path / "scores.json").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["scores.json"]


def test_a_written_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path: Path, files_no_larger_than: SmallDisk) -> None:
    path = tmp_path / "scores.json"
    write_atomic(path, b"old")
    with files_no_larger_than(1000), pytest.raises(LeadlineError) as caught:
        write_atomic(path, b"x" * 5000)
    assert caught.value.code == "LL008"
    assert caught.value.exit_code == 1
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["scores.json"]


def test_appending_to_a_full_disk_adds_nothing(tmp_path: Path, files_no_larger_than: SmallDisk) -> None:
    path = tmp_path / "log.txt"
    append(path, b"first\n")
    with files_no_larger_than(1000), pytest.raises(LeadlineError) as caught:
        append(path, b"y" * 5000)
    assert caught.value.code == "LL008"
    assert path.read_bytes() == b"first\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_device_without_room_is_a_full_disk() -> None:
    with pytest.raises(LeadlineError) as caught:
        append(Path("/dev/full"), b"x")
    assert caught.value.code == "LL008"


def test_a_parent_that_is_a_file_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "photo").touch()
    with pytest.raises(InputError) as caught:
        write_atomic(tmp_path / "photo" / "run.json", b"")
    assert caught.value.code == "LL007"


def test_other_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    error = OSError(errno.EIO, "input/output error")
    assert refusal(error, tmp_path) is error
    with pytest.raises(OSError, match="input/output"), storing(tmp_path):
        raise error


def test_json_with_nan_or_infinity_is_refused_with_the_key() -> None:
    with pytest.raises(ValueError, match=r"scores.json: test.intervals\[1\] = nan"):
        to_json({"test": {"loss": 1.0, "intervals": [0.5, math.nan]}}, name="scores.json")
    with pytest.raises(ValueError, match="inf"):
        to_json(np.array([math.inf]), name="x.json")


def test_json_takes_numpy_numbers_arrays_and_paths() -> None:
    written = to_json({"a": np.float32(0.5), "b": np.arange(2), "c": Path("x"), "d": np.bool_(True)}, name="x.json")
    assert b"".join(written.split()) == b'{"a":0.5,"b":[0,1],"c":"x","d":true}'


def test_what_a_killed_write_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in (".tmp-run.json-123", ".tmp-mine", "run.json", ".hidden"):
        (tmp_path / name).touch()
    clear_asides(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", ".tmp-mine", "run.json"]


KILLED = """
import os, signal, sys, time
from pathlib import Path
from leadline.record.files import write_atomic
path = Path(sys.argv[1])
write_atomic(path, b"0" * 50_000)
for kill in range(20):
    child = os.fork()
    if child == 0:
        while True:
            for digit in b"123456789":
                write_atomic(path, bytes([digit]) * 50_000)
    time.sleep(0.002 + 0.003 * (kill * 7 % 20) / 20)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    data = path.read_bytes()
    assert len(data) == 50_000 and len(set(data)) == 1, (len(data), set(data))
print("whole")
"""


def test_a_kill_in_mid_write_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "file")], capture_output=True, text=True, check=False)
    assert done.stdout == "whole\n", done.stderr
