"""Numbers and their layout: in which format a step computes, whether images lie channels-last, and which of these is fastest here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn

from leadline.base.errors import InputError
from leadline.record.batch import Batch

Name = Literal["fp32", "bf16", "fp16"]
Matmul = Literal["highest", "high", "medium"]
HALF: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """How a step computes. name: fp32, or the half format of autocast. matmul: torch's float32 matmul precision while the loop runs."""

    name: Name = "fp32"
    channels_last: bool = False
    matmul: Matmul = "highest"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; `Precision(**fields)` reads it back."""
        return asdict(self)

    def autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        """The context of a forward pass. It can be entered again and again."""
        if self.name == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=HALF[self.name])

    def scaler(self, device: torch.device) -> torch.amp.GradScaler | None:
        """fp16 gradients vanish below 6e-8, so their loss is scaled up; None for the other formats."""
        return torch.amp.GradScaler(device.type) if self.name == "fp16" else None

    def lay_out(self, model: nn.Module) -> None:
        """Put the weights of convolutions into the memory layout, in place; the parameters stay the same objects."""
        if self.channels_last:
            model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def arrange(self, batch: Batch) -> Batch:
        """The batch with its images (four axes) in the memory layout; other inputs as they are."""
        if not self.channels_last:
            return batch
        inputs = tuple(part.contiguous(memory_format=torch.channels_last) if part.ndim == 4 else part for part in batch.inputs)
        return Batch(inputs, batch.target, batch.index, batch.weight, batch.total)

    @contextlib.contextmanager
    def matmuls(self) -> Iterator[None]:
        """Within it torch multiplies float32 matrices as `matmul` says; afterwards as before."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.matmul)
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


def check_device(name: Name, device: torch.device) -> None:
    """Refuse, with InputError LL022, a format that this device cannot train in."""
    if name == "fp32":
        return
    if device.type == "cuda" and name == "bf16" and not torch.cuda.is_bf16_supported():
        raise _refusal(name, device, "this GPU has no bf16", "fp16")
    if not _runs(HALF[name], device):
        raise _refusal(name, device, f"torch cannot multiply {name} matrices on this device", "fp32")


def _runs(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether a linear layer's forward and backward pass run under autocast; answered by doing it."""
    try:
        layer = nn.Linear(4, 4, device=device)
        with torch.random.fork_rng(devices=[]), torch.autocast(device.type, dtype=dtype):
            total = layer(torch.ones(2, 4, device=device)).sum()
        total.backward()
    except RuntimeError:
        return False
    return True


def _refusal(name: str, device: torch.device, reason: str, instead: str) -> InputError:
    return InputError(
        "LL022",
        f"train.precision = '{name}': {reason} ({device.type})",
        where="recipe, train.precision",
        help=f"use  train.precision={instead}  or  train.precision=auto",
    )
