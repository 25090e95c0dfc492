"""Which device a run uses: asked for by name, or the fastest that is there."""

from __future__ import annotations

from leadline.base.errors import InputError


def resolve(name: str) -> str:
    """ "cpu", "cuda" (this process's own card under torchrun) or "mps" for `--device NAME`; LL026 when it is not there."""
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if name not in there:
        raise InputError("LL022", f"device = {name!r} is not a device", where="--device", help="one of auto, cpu, cuda, mps")
    if not there[name]:
        have = ", ".join(device for device, is_there in there.items() if is_there)
        raise InputError(
            "LL026", f"device '{name}' was asked for and this machine has none", where="--device", help=f"--device {have.split(',')[0]}"
        )
    return name
