"""What tests of several wings need."""

from __future__ import annotations

import resource
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import pytest


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
