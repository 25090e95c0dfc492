"""Examples decoded each time they are wanted, here or by worker processes that work ahead."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from leadline.base.errors import LeadlineError
from leadline.data.prepare import Preparer
from leadline.data.source import Examples
from leadline.data.store import Layout, Store

Decoded = tuple[torch.Tensor, ...] | LeadlineError


class NoStore(Store):
    """Nothing is kept. workers: processes that decode in `stream`; 0: decode in this one. The bits do not depend on it."""

    kind = "none"

    def __init__(self, layout: Layout, examples: Examples, preparer: Preparer, *, device: torch.device, reason: str, workers: int) -> None:
        self.layout, self.device, self.reason, self.workers = layout, device, reason, workers
        self.home, self.works_ahead = torch.device("cpu"), workers > 0
        self._decoding = _Decoding(examples, preparer)

    @property
    def bytes(self) -> int:
        return 0

    def fetch(self, indices: torch.Tensor | np.ndarray) -> tuple[torch.Tensor, ...]:
        decoded = self._decoding.decode(indices.cpu().numpy() if isinstance(indices, torch.Tensor) else indices)
        # A copy into torch's own memory, which is aligned: NumPy's is not always, and then the same sums may come out in other bits.
        return tuple(part.clone() if self.device.type == "cpu" else part.to(self.device) for part in decoded)

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[tuple[torch.Tensor, ...]]:
        """As `fetch`, decoded ahead by the workers. Use it from the main thread: on Linux the workers die with the thread that made them.

        Raises LeadlineError LL036 when a worker is killed, and what a worker raised.
        """
        if not self.workers:
            yield from super().stream(batches)
            return
        iterator = _start(self._decoding, list(batches), workers=self.workers, pinned=self.device.type == "cuda")
        try:
            for decoded in _watched(iterator, self.workers):
                yield tuple(part.to(self.device, non_blocking=True) for part in decoded)
        finally:
            iterator._shutdown_workers()  # dropping it would do the same, but an error's traceback may still hold it


class _Decoding(Dataset[Decoded]):
    """From a batch of indices to stored arrays; what a worker process runs."""

    def __init__(self, examples: Examples, preparer: Preparer) -> None:
        self.examples, self.preparer = examples, preparer

    def __len__(self) -> int:
        return len(self.examples)

    def decode(self, indices: np.ndarray) -> tuple[torch.Tensor, ...]:
        arrays = self.preparer.store(self.examples.fetch(indices))
        return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)

    def __getitem__(self, indices: np.ndarray) -> Decoded:
        try:
            return self.decode(indices)
        except LeadlineError as error:
            return error  # torch would rebuild it from its text alone, and lose code and help


def _start(decoding: _Decoding, batches: list[np.ndarray], *, workers: int, pinned: bool) -> _MultiProcessingDataLoaderIter:
    """A running DataLoader over batches of indices; torch's global generator and the signal handlers stay as they were."""
    loader = DataLoader(
        decoding,
        sampler=batches,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,  # pyright: ignore[reportArgumentType]
        pin_memory=pinned,
        worker_init_fn=functools.partial(_begin_worker, os.getpid()),
        generator=torch.Generator(),  # else the loader draws its seed from the global one, and workers would change the run's bits
    )
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD) if is_main else None
    with warnings.catch_warnings():
        # Python warns of forking beside threads, of which workers use none; torch of more workers than cores, which the user asked for.
        warnings.simplefilter("ignore")
        iterator = iter(loader)
    if before is not None:
        # torch's handler raises wherever the program happens to be when a worker dies; without it the next batch tells, in its place.
        signal.signal(signal.SIGCHLD, before)
    assert isinstance(iterator, _MultiProcessingDataLoaderIter)
    return iterator


def _watched(iterator: Iterator[Decoded], workers: int) -> Iterator[tuple[torch.Tensor, ...]]:
    while True:
        try:
            decoded = next(iterator)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" in str(error) and ("exited unexpectedly" in str(error) or "killed by signal" in str(error)):
                raise _dead_worker(workers) from error
            raise
        if isinstance(decoded, LeadlineError):
            raise decoded
        yield decoded


def _dead_worker(workers: int) -> LeadlineError:
    return LeadlineError(
        "LL036",
        f"one of {workers} worker processes that decode examples was killed, most often for want of memory or of shared memory",
        where="data.workers",
        help="data.workers=0, or a smaller train.batch_size; leadline resume RUN  goes on",
    )


def _begin_worker(parent: int, _: int) -> None:
    """Ctrl-C is the parent's business, a request to end is obeyed at once, and without a parent there is nothing to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _as_it_is(decoded: Decoded) -> Decoded:
    return decoded
