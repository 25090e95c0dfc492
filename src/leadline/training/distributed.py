"""Several processes as one: the same global batch, gradients summed over ranks, decisions taken together. Started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from leadline.base.errors import InputError, LeadlineError

BUCKET = 2**24  # elements of one flat exchange (64 MB in fp32): few enough calls, and no second copy of a large model's gradients
LOST = ("gloo/", "Connection closed by peer", "Connection reset by peer")  # words of gloo's errors, which have no type of their own


@dataclass(frozen=True)
class World:
    """Who takes part. size 1: a single process, in which every exchange is a no-op."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    host: Any = None
    """Exchanges small CPU tensors, so that a decision never waits for a GPU."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    def sum_(self, tensors: Sequence[torch.Tensor]) -> None:
        """Sum each tensor over all ranks, in place, in flat buckets; every rank gives the same shapes in the same order."""
        if self.size == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            dist.all_reduce(flat)
            _spread(flat, bucket)

    def tally(self, numbers: Sequence[float]) -> list[float]:
        """The sums of a few numbers over all ranks, exchanged on the host in float64."""
        if self.size == 1:
            return list(numbers)
        ballot = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(ballot, group=self.host)
        return ballot.tolist()

    def told(self, numbers: Sequence[float]) -> list[float]:
        """Rank 0's numbers, on every rank."""
        if self.size == 1:
            return list(numbers)
        told = torch.tensor(numbers, dtype=torch.float64)
        dist.broadcast(told, src=0, group=self.host)
        return told.tolist()

    def gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """The CPU tensors of all ranks (equal shape and type), in rank order, on every rank."""
        if self.size == 1:
            return [tensor]
        gathered = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(gathered, tensor, group=self.host)
        return gathered

    def share(self, model: nn.Module) -> None:
        """Give every rank the weights and buffers of rank 0."""
        if self.size == 1:
            return
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                sent = tensor.detach().contiguous()
                dist.broadcast(sent, src=0)
                tensor.copy_(sent)

    def finish(self) -> None:
        """Leave the group; call it once, after the last exchange."""
        if self.size > 1:
            dist.destroy_process_group()


def start(device: torch.device) -> World:
    """Join the processes that torchrun started (environment RANK, WORLD_SIZE, LOCAL_RANK), or a world of one when it did not.

    gloo on CPUs, NCCL on GPUs. Raises InputError LL026 when a rank has no GPU of its own.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if device.type != "cuda":
        dist.init_process_group("gloo", rank=rank, world_size=size)
        return World(rank, size, local, dist.group.WORLD)
    if local >= torch.cuda.device_count():
        raise InputError(
            "LL026",
            f"process {local} of this machine has no GPU of its own: there are {torch.cuda.device_count()}",
            help=f"start  torchrun --nproc-per-node {torch.cuda.device_count()} ...",
        )
    torch.cuda.set_device(local)
    dist.init_process_group("nccl", rank=rank, world_size=size, device_id=torch.device("cuda", local))
    return World(rank, size, local, dist.new_group(backend="gloo"))


@contextmanager
def plain_words(world: World) -> Iterator[None]:
    """Within it the end of another process is LeadlineError LL038 here, and no network library's message."""
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, dist.DistError) or any(word in str(error) for word in LOST)
        if world.size == 1 or not lost:
            raise
        text = f"process {world.rank} stops: another process of this run has ended"
        raise LeadlineError("LL038", text, help="its own error, printed beside this one, says why") from error


def _buckets(tensors: Iterable[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Runs of tensors of one type, each within the bucket's size (a larger tensor stands alone)."""
    buckets: list[list[torch.Tensor]] = []
    room = 0
    for tensor in tensors:
        if not buckets or buckets[-1][-1].dtype != tensor.dtype or tensor.numel() > room:
            buckets.append([])
            room = BUCKET
        buckets[-1].append(tensor)
        room -= tensor.numel()
    return buckets


def _spread(flat: torch.Tensor, tensors: list[torch.Tensor]) -> None:
    start = 0
    for tensor in tensors:
        tensor.copy_(flat[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()
