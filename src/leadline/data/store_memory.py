"""Decoded examples as whole tensors, in main memory or on the device: a batch is one gather per tensor."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from leadline.data.room import free_memory, in_words
from leadline.data.store import Layout, Store

DEVICE_SHARE = 1 / 3  # of the device's free memory; the rest is for network and activations


class MemoryStore(Store):
    """chunks: (start, arrays) of all examples. On a device when they take at most a third of its free memory, else in main memory."""

    kind = "memory"
    works_ahead = True

    def __init__(self, layout: Layout, chunks: Iterable[tuple[int, tuple[np.ndarray, ...]]], *, device: torch.device, reason: str) -> None:
        self.layout, self.device, self.reason = layout, device, reason
        self.tensors = layout.empty(layout.num_examples)
        for start, arrays in chunks:
            for tensor, array in zip(self.tensors, arrays, strict=True):
                tensor[start : start + len(array)] = torch.from_numpy(array)
        self.home = torch.device("cpu")
        room = _free_on(device)
        if device.type != "cpu" and layout.total_bytes <= DEVICE_SHARE * room:
            self.home = device
            self.tensors = tuple(tensor.to(device) for tensor in self.tensors)
            self.reason += f", and on {device.type} into {in_words(room)}"

    def fetch(self, indices: torch.Tensor | np.ndarray) -> tuple[torch.Tensor, ...]:
        if not isinstance(indices, torch.Tensor):
            indices = torch.from_numpy(indices)
        if indices.device != self.home:
            indices = indices.to(self.home)
        if self.home == self.device:
            return tuple(tensor.index_select(0, indices) for tensor in self.tensors)
        # Through pinned memory the copy runs beside the device's work.
        ready = self.layout.empty(len(indices), pinned=self.device.type == "cuda")
        for tensor, out in zip(self.tensors, ready, strict=True):
            torch.index_select(tensor, 0, indices, out=out)
        return tuple(out.to(self.device, non_blocking=True) for out in ready)


def _free_on(device: torch.device) -> int:
    """Bytes free on a device; a Mac's GPU shares the main memory."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
