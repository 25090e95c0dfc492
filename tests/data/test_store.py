"""Stores: three ways to keep examples, one answer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from data.made import Made, MadeImages, MadeRows, pictures
from leadline.base.errors import InputError, LeadlineError
from leadline.data import store as store_module
from leadline.data.room import free_disk, free_memory, in_words
from leadline.data.store import build_store, choose

ROWS = np.array([5, 6, 7, 0, 39, 5, 38])


def equal(first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]) -> bool:
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
@pytest.mark.parametrize("kind", ["images", "rows"])
def test_every_store_gives_what_the_preparer_stored(cache, kind, tmp_path):
    examples, preparer = (pictures(40), MadeImages(3, 8)) if kind == "images" else (Made(40), MadeRows())
    expected = tuple(torch.from_numpy(part) for part in preparer.store(examples.fetch(ROWS)))
    with build_store(examples, preparer, cache, folder=tmp_path) as store:
        assert store.kind == cache
        assert equal(store.fetch(ROWS), expected)
        assert equal(store.fetch(torch.from_numpy(ROWS)), expected)
        assert all(equal(got, expected) for got in store.stream([ROWS, ROWS]))


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_give_the_same_bits_in_the_same_order(workers):
    examples, preparer = pictures(60), MadeImages(3, 8)
    batches = [np.arange(start, start + 10)[::-1].copy() for start in range(0, 60, 10)]
    with build_store(examples, preparer, "none") as alone, build_store(examples, preparer, "none", workers=workers) as helped:
        assert all(equal(a, b) for a, b in zip(alone.stream(batches), helped.stream(batches), strict=True))


def test_workers_leave_the_global_generator_and_the_signal_handlers_alone():
    before, handlers = torch.get_rng_state(), [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)]
    with build_store(pictures(10), MadeImages(3, 8), "none", workers=1) as store:
        list(store.stream([np.arange(5)]))
    assert torch.equal(before, torch.get_rng_state())
    assert handlers == [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)]


class Failing(Made):
    """Pictures of which one cannot be had."""

    def fetch(self, indices: np.ndarray) -> Any:
        if 7 in indices:
            raise InputError("LL029", "picture 7 is gone", help="bring it back")
        return super().fetch(indices)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_arrives_whole(workers):
    examples = Failing(10, pixels=pictures(10).pixels)
    with build_store(examples, MadeImages(3, 8), "none", workers=workers) as store, pytest.raises(InputError) as error:
        list(store.stream([np.arange(5), np.arange(5, 10)]))
    assert (error.value.code, error.value.help) == ("LL029", "bring it back")


class Deadly(Made):
    """Pictures of which one kills the process that reads it, as the system does when memory runs out."""

    def fetch(self, indices: np.ndarray) -> Any:
        if 7 in indices:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fetch(indices)


def test_a_killed_worker_is_one_error_and_no_wait_for_ever():
    examples = Deadly(10, pixels=pictures(10).pixels)
    store = build_store(examples, MadeImages(3, 8), "none", workers=2)
    with pytest.raises(LeadlineError, match="worker processes") as error:
        list(store.stream([np.arange(5), np.arange(5, 10)]))
    assert error.value.code == "LL036"
    assert len(str(error.value).splitlines()) <= 6
    assert not multiprocessing.active_children()


PROGRAM = """
    import os, signal, sys, time
    import numpy as np
    sys.path.insert(0, {tests!r})
    from data.made import MadeImages, pictures
    from leadline.data.store import build_store
    from multiprocessing import active_children
    if __name__ == "__main__":
        store = build_store(pictures(40), MadeImages(3, 8), "none", workers=2)
        stream = store.stream([np.arange(10)] * 50)
        next(stream)
        print(*[child.pid for child in active_children()], flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's own watchdog ends the workers, within seconds")
def test_workers_die_with_their_parent():
    program = textwrap.dedent(PROGRAM.format(tests=str(Path(__file__).parent.parent)))
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=4)
    assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]


def test_a_disk_store_leaves_nothing_behind(tmp_path):
    store = build_store(pictures(40), MadeImages(3, 8), "disk", folder=tmp_path)
    assert store.bytes == 40 * 3 * 8 * 8
    assert list(tmp_path.iterdir()) == []
    store.close()
    with pytest.raises(IndexError):
        build_store(pictures(4), MadeImages(3, 8), "disk", folder=tmp_path).fetch(np.array([4]))


def test_a_disk_store_fills_in_chunks_and_reads_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 1 << 20)

    class Wide(MadeImages):
        def store(self, raw: Any) -> tuple[np.ndarray, ...]:
            return (np.repeat(super().store(raw)[0], 1000, axis=0).reshape(len(raw), -1, 8, 8),)

    def memory_after_use(size: int) -> int:
        with build_store(pictures(size), Wide(3, 8), "disk", folder=tmp_path) as store:
            for seed in range(20):
                store.fetch(np.random.default_rng(seed).permutation(size)[:50])
            return psutil.Process().memory_info().rss

    assert memory_after_use(600) - memory_after_use(100) < 30e6  # 115 MB of examples against 19 MB


def test_a_full_disk_is_an_error_for_people(files_no_larger_than, tmp_path):
    with files_no_larger_than(3000), pytest.raises(InputError, match="no room") as error:
        build_store(pictures(40), MadeImages(3, 8), "disk", folder=tmp_path)
    assert error.value.code == "LL008"


def test_auto_takes_the_first_that_has_room(tmp_path):
    memory, disk = free_memory(), free_disk(tmp_path)
    assert choose("auto", total=1000, folder=tmp_path)[0] == "memory"
    assert choose("auto", total=memory * 2, folder=None)[0] == "none"
    assert choose("auto", total=disk * 2 + memory * 2, folder=tmp_path)[0] == "none"
    _, reason = choose("auto", total=1000, folder=None)
    assert "1 kB decoded fit into" in reason


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_what_was_asked_for_and_does_not_fit_is_refused_with_both_sizes(cache, tmp_path):
    with pytest.raises(InputError, match=r"are more than the .* that are free") as error:
        choose(cache, total=10**18, folder=tmp_path)
    assert error.value.code == "LL022"


def test_a_disk_store_without_a_folder_is_refused():
    with pytest.raises(InputError, match="needs a folder"):
        choose("disk", total=1, folder=None)


def test_a_containers_own_limit_counts(tmp_path):
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 400000\n")
    assert free_memory(tmp_path) == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 900_000


def test_bytes_are_told_in_words():
    assert [in_words(count) for count in (12, 1500, 2_000_000, 5 * 10**9)] == ["12 bytes", "1.5 kB", "2 MB", "5 GB"]
