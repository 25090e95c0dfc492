"""Working ahead: one thread makes the next items while the present one is used. It changes when they are made, never what they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Generator[Item, None, None], *, depth: int = 3) -> Generator[Item, None, None]:
    """The items in order, up to `depth` of them made in advance. What making one raises is raised here; closing this ends the thread."""
    done = object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="leadline-batches")
    try:
        waiting = deque(pool.submit(next, items, done) for _ in range(depth))
        while True:
            item = waiting.popleft().result()
            if item is done:
                return
            waiting.append(pool.submit(next, items, done))
            yield item  # pyright: ignore[reportReturnType]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        items.close()
