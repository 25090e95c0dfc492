"""Which device a run uses: asked for by name, or the fastest that is there."""

from __future__ import annotations

import re

from leadline.base.errors import InputError


def resolve(name: str) -> str:
    """The device that `--device NAME` means: cpu, cuda (under torchrun this process's own), cuda:1, mps; LL026 when it is not there."""
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    for index in range(torch.cuda.device_count()):
        there[f"cuda:{index}"] = True
    if re.fullmatch(r"cuda:\d+", name):
        there.setdefault(name, False)
    if name not in there:
        raise InputError("LL022", f"device = {name!r} is not a device", where="--device", help="one of auto, cpu, cuda, mps")
    if not there[name]:
        have = ", ".join(device for device, is_there in there.items() if is_there)
        raise InputError(
            "LL026", f"device '{name}' was asked for and this machine has none", where="--device", help=f"--device {have.split(',')[0]}"
        )
    return name
