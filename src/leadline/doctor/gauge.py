"""Norms of gradients, weights and updates of a recorded step: small samples before and after, one transfer for all."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from leadline.doctor.moment import Gauge

ELEMENTS = 4096  # of a tensor: enough for a ratio to 2 %, and cheap for embeddings of millions


def sampled(tensor: Tensor) -> Tensor:
    """At most ELEMENTS elements of `tensor`, evenly spread, copied."""
    flat = (tensor.coalesce().values() if tensor.is_sparse else tensor).detach().reshape(-1)
    return flat[:: max(1, flat.numel() // ELEMENTS)][:ELEMENTS].clone()


def is_bad(grad: Tensor | None) -> bool:
    """Whether a gradient on the host holds a NaN or an infinity; on a device nobody waits for the answer (recorded steps look)."""
    return grad is not None and grad.device.type == "cpu" and not grad.is_sparse and not math.isfinite(grad.sum().item())


class Measuring:
    """Measures one optimizer step: made just before it, `after` just after it."""

    def __init__(self, named: list[tuple[str, Tensor]]) -> None:
        self.named = named
        self.before = [sampled(weight) for _, weight in named]
        dense = [weight.grad for _, weight in named]
        self.has_grad = [grad is not None for grad in dense]
        grads = [grad.coalesce().values() if grad.is_sparse else grad for grad in dense if grad is not None]
        # float32 would underflow near 1e-28
        self.norms = _norms(grads)
        samples = [sampled(grad) for grad in grads]
        self.nonzero = [(sample != 0).double().mean() for sample in samples]

    def after(self, step: int, lr: float) -> Gauge:
        """The step was done: everything in one transfer."""
        after = [sampled(weight) for _, weight in self.named]
        weight_norms = _norms([weight.detach() for _, weight in self.named])
        moved = [(old != new).double().mean() for old, new in zip(self.before, after, strict=True)]
        changes = [
            torch.linalg.vector_norm((new - old).double()) / torch.linalg.vector_norm(old.double()).clamp_min(1e-30)
            for old, new in zip(self.before, after, strict=True)
        ]
        values = iter(_numbers([*self.norms, *self.nonzero, *weight_norms, *changes, *moved]))
        grads = tuple(next(values) if has else None for has in self.has_grad)
        nonzero = tuple(next(values) if has else 0.0 for has in self.has_grad)
        rest = [tuple(next(values) for _ in self.named) for _ in range(3)]
        names = tuple(name for name, _ in self.named)
        return Gauge(step, names, grads, rest[0], rest[1], rest[2], nonzero, lr)


def _numbers(values: list[Tensor]) -> list[float]:
    """All on the host at once (tensors may lie on several devices)."""
    by_device: dict[torch.device, list[int]] = {}
    for place, value in enumerate(values):
        by_device.setdefault(value.device, []).append(place)
    out = [0.0] * len(values)
    for places in by_device.values():
        for place, number in zip(places, torch.stack([values[p].double() for p in places]).tolist(), strict=True):
            out[place] = number
    return out


def _norms(tensors: list[Tensor]) -> list[Tensor]:
    """Their norms in float64, in one pass, still on the device."""
    return list(torch._foreach_norm(tensors, dtype=torch.float64)) if tensors else []  # pyright: ignore[reportPrivateImportUsage]
