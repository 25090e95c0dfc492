"""The states of all generators of random numbers, read and put back: a resumed run draws what the uninterrupted one would have drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from leadline.training.distributed import World


def read(device: torch.device, world: World) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors, JSON) of Python's, NumPy's and torch's generators; torch's of every process, so all must call it together."""
    tensors = {f"torch/{rank}": state for rank, state in enumerate(world.gather(torch.get_rng_state()))}
    if device.type == "cuda":
        tensors |= {f"cuda/{rank}": state for rank, state in enumerate(world.gather(torch.cuda.get_rng_state(device)))}
    elif device.type == "mps":
        tensors["mps/0"] = torch.mps.get_rng_state()
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    tensors["numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    version, integers, next_gauss = random.getstate()
    tensors["python"] = torch.tensor(integers, dtype=torch.int64)
    numpy_fields = {"kind": kind, "position": int(position), "has_gauss": int(has_gauss), "gauss": float(gauss)}
    return tensors, {"numpy": numpy_fields, "python": {"version": version, "gauss": next_gauss}}


def restore(tensors: dict[str, torch.Tensor], fields: dict[str, Any], *, device: torch.device, world: World) -> None:
    """Put every generator where `read` found it."""
    torch.set_rng_state(tensors[f"torch/{world.rank}"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors[f"cuda/{world.rank}"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(tensors["mps/0"])
    number = fields["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state((number["kind"], keys, number["position"], number["has_gauss"], number["gauss"]))
    random.setstate((fields["python"]["version"], tuple(tensors["python"].tolist()), fields["python"]["gauss"]))


@contextmanager
def kept(device: torch.device) -> Iterator[None]:
    """Whatever is drawn within it from torch's generators was never drawn."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
