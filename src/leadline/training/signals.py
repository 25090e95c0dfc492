"""Signals: the first asks to stop at the next step, with the state saved; the second stops at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from leadline.base.errors import Stopped

WATCHED = (signal.SIGINT, signal.SIGTERM)
RELAY_S = 2.0  # torchrun hears Ctrl-C too and passes it on to its workers, which heard it themselves: one wish, not two


class StopFlag:
    """Hears SIGINT and SIGTERM while it is entered: `with StopFlag() as stop:` and then `if stop():` at each step boundary.

    The second signal gets the system's own default action, so that it ends the process even where Python is stuck in a library (status
    130 or 143 in a shell); what is on the disk is sound at any moment. Outside the main thread, where Python allows no handlers, it hears
    nothing.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.heard_at = 0.0
        self._interrupts = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in WATCHED}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.signal is not None

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Within it nobody asks at step boundaries: a signal, heard now or before, ends the block there and then with Stopped LL037."""
        self._interrupts = True
        try:
            if self.signal is not None:
                raise KeyboardInterrupt
            yield
        except KeyboardInterrupt:
            raise Stopped("LL037", "stopped outside training; nothing is lost", help="leadline resume RUN  does the rest") from None
        finally:
            self._interrupts = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal, self.heard_at = number, time.monotonic()
            if "TORCHELASTIC_RUN_ID" not in os.environ:
                self._leave_to_system()
            if self._interrupts:
                raise KeyboardInterrupt
        elif time.monotonic() - self.heard_at > RELAY_S:
            self._leave_to_system()
            signal.raise_signal(signal.Signals(number))

    def _leave_to_system(self) -> None:
        for watched in WATCHED:
            signal.signal(watched, signal.SIG_DFL)
