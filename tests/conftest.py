"""What holds for every test: one thread, a folder of its own, no network, warnings are errors."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

# Before torch is imported: with two threads on a busy small machine OpenMP spins and is slower than with one.
os.environ["OMP_NUM_THREADS"] = "1"
OFFLINE = str(Path(__file__).parent / "offline")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [OFFLINE, os.environ.get("PYTHONPATH")]))
sys.path.insert(0, OFFLINE)

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import sitecustomize  # noqa: E402, F401

# Tests never time, and find the same today and tomorrow.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests work in a folder of their own, so that a run written to ./runs lands nowhere else."""
    monkeypatch.chdir(tmp_path)


@contextmanager
def _files_no_larger_than(size: int) -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def files_no_larger_than() -> Callable[[int], AbstractContextManager[None]]:
    """`with files_no_larger_than(1000):` the system lets no file grow beyond so many bytes: the honest stand-in for a full disk."""
    return _files_no_larger_than
