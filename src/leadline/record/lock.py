"""One run, one process: the run folder is locked while a process writes to it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from weakref import WeakSet, finalize

from leadline.base.errors import InputError
from leadline.record.files import storing


class Lock:
    """Holds a run folder for this process; the kernel lets go of it when the process ends, however it ends."""

    NAME = ".lock"

    def __init__(self, folder: Path) -> None:
        """Take the folder. Raises InputError LL010 with the pid of the process that has it."""
        path = folder / self.NAME
        with storing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._close = finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                reason = os.strerror(error.errno or 0).lower()
                help = "choose a folder on a local disk with --out"
                raise InputError("LL007", f"{folder} cannot be locked: {reason}", where=str(path), help=help) from error
            raise _in_use(folder) from None
        with storing(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        _HELD.add(self)

    def release(self) -> None:
        """Let go; a second call does nothing."""
        self._close()


_HELD: WeakSet[Lock] = WeakSet()


def _let_go_in_child() -> None:
    # A forked data worker inherits the open file and with it the lock; if it outlived a killed parent, nobody could resume.
    for lock in list(_HELD):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)


def holder(folder: Path) -> int | None:
    """The pid of the process that writes to this run now, or None; looks without taking anything."""
    path = folder / Lock.NAME
    if not path.exists():
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = path.read_text(encoding="utf-8").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
    return None


def _in_use(folder: Path) -> InputError:
    pid = (folder / Lock.NAME).read_text(encoding="utf-8").strip() or "unknown"
    return InputError(
        "LL010",
        f"another process works on this run: pid {pid}",
        where=str(folder),
        help=f"wait for it, or stop it with  kill {pid}  (it saves its state and `leadline resume` goes on)",
    )
