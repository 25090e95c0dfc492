"""How much memory and disk there is to use, as this process may use it and not as the machine has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

GROUP = Path("/sys/fs/cgroup")  # where Linux shows a container its own limits


def free_memory(group: Path = GROUP) -> int:
    """Bytes of memory that can be had without swapping, within the container's limit where there is one."""
    free = psutil.virtual_memory().available
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    if limit is None or used is None:
        return free
    return max(0, min(free, limit - used + _reclaimable(group / "memory.stat")))


def free_disk(folder: str | Path) -> int:
    """Bytes free on the disk that holds `folder`, or will hold it."""
    path = Path(folder).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def in_words(count: int) -> str:
    """Bytes as people read them: "1.2 GB"."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _number(path: Path) -> int | None:
    """The number in a file of the kernel; None when there is no such file or no limit ("max")."""
    if not path.is_file():
        return None
    text = path.read_text().strip()
    return int(text) if text.isdigit() else None


def _reclaimable(path: Path) -> int:
    """Bytes of cached files, which count as used but are given back when needed."""
    if not path.is_file():
        return 0
    fields = dict(line.split() for line in path.read_text().splitlines())
    return int(fields.get("inactive_file", 0))
