"""What this machine is: versions, cores, memory and devices, for reports of problems and for choosing a device."""

from __future__ import annotations

import os
import platform
from typing import Any

from leadline.record.environment import versions

GIB = 1 << 30


def environment() -> dict[str, Any]:
    """{"versions", "machine": {system, processor, cores, threads, memory_gb, free_gb}, "devices": [{name, about}], "auto"}."""
    import psutil
    import torch

    from leadline.flow.devices import resolve

    memory = psutil.virtual_memory()
    machine = {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": memory.total / GIB,
        "free_gb": memory.available / GIB,
    }
    devices = [{"name": "cpu", "about": machine["processor"]}]
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        devices.append({"name": "cuda" if index == 0 else f"cuda:{index}", "about": f"{found.name}, {found.total_memory / GIB:.0f} GB"})
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "about": "Apple GPU"})
    return {"versions": versions(), "machine": machine, "devices": devices, "auto": resolve("auto")}


def _processor() -> str:
    """The processor's own name where the system tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    except OSError:
        return platform.processor() or platform.machine()
