"""What leadline runs on: versions, processor, memory, devices."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from leadline.flow.devices import resolve
from leadline.record.environment import versions

GB = 1e9


def environment() -> dict[str, Any]:
    """Plain JSON: versions, machine, devices with what can be said about them, and which of them "auto" takes."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    machine = {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(memory.total / GB, 1),
        "free_gb": round(memory.available / GB, 1),
    }
    return {"versions": versions(), "machine": machine, "devices": _devices(), "auto": resolve("auto")}


def _devices() -> list[dict[str, str]]:
    import torch

    found = [{"name": "cpu", "about": f"{torch.backends.cpu.get_cpu_capability()} kernels"}]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append({"name": f"cuda:{index}", "about": f"{card.name}, {card.total_memory / GB:.0f} GB, CUDA {torch.version.cuda}"})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "about": "Apple's GPU"})
    return found


def _processor() -> str:
    """The processor's trade name where the system tells it."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
