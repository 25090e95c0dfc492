"""All that a run must know to go on bit for bit, gathered into tensors and plain JSON, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from leadline.base.errors import InputError
from leadline.training import generators
from leadline.training.distributed import World
from leadline.training.ema import Average
from leadline.training.optim import Optimizers
from leadline.training.progress import Progress
from leadline.training.schedule import Plateau

Tensors = dict[str, torch.Tensor]


@dataclass
class Place:
    """Where a run stands. step: steps made; epoch: epochs finished; position: steps made in the present one.

    over: early stopping has ended the run. parts: micro-batches per step. bad: non-finite steps in a row. events: what happened besides
    training, as JSON rows. seconds: spent training, over all starts of the run.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    over: bool = False
    parts: int = 1
    bad: int = 0
    seconds: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Moving:
    """Everything that training changes."""

    model: nn.Module
    optimizers: Mapping[str, Optimizers]
    average: Average | None
    scaler: torch.amp.GradScaler | None
    progress: Progress
    plateau: Plateau
    device: torch.device
    world: World

    def gather(self, place: Place, *, journal: int) -> tuple[Tensors, dict[str, Any]]:
        """(tensors, JSON) of the whole state; journal: bytes of metrics.jsonl that belong to it. All processes must call it together."""
        tensors = {f"model/{name}": tensor.detach() for name, tensor in _weights(self.model)}
        numbers: dict[str, Any] = {}
        for part, optimizers in self.optimizers.items():
            found, numbers[part] = optimizers.state()
            tensors |= {f"optimizer/{part}/{key}": tensor for key, tensor in found.items()}
        if self.average is not None:
            tensors |= {f"ema/{name}": tensor for name, tensor in self.average.averages.items()}
        random_tensors, random_fields = generators.read(self.device, self.world)
        tensors |= {f"random/{name}": tensor for name, tensor in random_tensors.items()}
        state = {
            "place": asdict(place),
            "journal": journal,
            "world": self.world.size,
            "optimizers": numbers,
            "random": random_fields,
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "progress": self.progress.state(),
            "plateau": self.plateau.state(),
        }
        return tensors, state

    def restore(self, tensors: Tensors, state: dict[str, Any]) -> Place:
        """Put everything where `gather` found it. Raises InputError LL012 when the number of processes is another one."""
        if state["world"] != self.world.size:
            raise InputError(
                "LL012",
                f"the run was stopped with {state['world']} processes and goes on with {self.world.size}",
                help=f"start  torchrun --nproc-per-node {state['world']} ...",
            )
        put_weights(self.model, _below(tensors, "model/"))
        for part, optimizers in self.optimizers.items():
            optimizers.load(_below(tensors, f"optimizer/{part}/"), state["optimizers"][part])
        if self.average is not None:
            for name, tensor in self.average.averages.items():
                tensor.copy_(tensors[f"ema/{name}"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.progress.load(state["progress"])
        self.plateau.load(state["plateau"])
        generators.restore(_below(tensors, "random/"), state["random"], device=self.device, world=self.world)
        return Place(**state["place"])


def put_best(model: nn.Module, tensors: Tensors) -> None:
    """Give the model the weights that a checkpoint's score was measured with: the averaged ones where there are any."""
    put_weights(model, _below(tensors, "model/") | _below(tensors, "ema/"))


@torch.no_grad()
def put_weights(model: nn.Module, tensors: Tensors) -> None:
    """Copy weights and buffers in place. Raises InputError LL012 when they are another model's."""
    for name, tensor in _weights(model):
        stored = tensors.get(name)
        if stored is None or stored.shape != tensor.shape:
            found = "absent" if stored is None else f"of shape {tuple(stored.shape)}"
            raise InputError(
                "LL012",
                f"the checkpoint goes with another model: '{name}' has shape {tuple(tensor.shape)} here and is {found} there",
                help="go on with the recipe that the run was started with",
            )
        tensor.copy_(stored)


def _weights(model: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
