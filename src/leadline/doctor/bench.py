"""Small trainings for the rules' sick and well cases: a healthy one of each kind, of which a rule changes one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from leadline.doctor.check import StepFunction, check, default_step
from leadline.doctor.rule import Case
from leadline.doctor.watch import Watch
from leadline.record.finding import Finding


@dataclass
class Bench:
    """One small training. new_epoch: called at the start of each epoch. validate: what the loop does at the end of an epoch."""

    model: nn.Module
    loss_fn: Any
    optimizer: Optimizer
    loader: Any
    val_loader: Any = None
    steps: int = 80
    step: StepFunction = default_step
    new_epoch: Callable[[Bench], None] | None = None
    validate: Callable[[Bench], None] | None = None

    def train(self) -> None:
        """The plain loop."""
        done = 0
        while done < self.steps:
            if self.new_epoch is not None:
                self.new_epoch(self)
            for batch in self.loader:
                self.step(self.model, self.loss_fn, self.optimizer, batch)
                done += 1
                if done == self.steps:
                    return
            if self.validate is not None:
                self.validate(self)

    def watched(self) -> list[Finding]:
        """What the doctor says around the loop."""
        loss_fn = self.loss_fn if isinstance(self.loss_fn, nn.Module) else None
        with Watch(self.model, self.optimizer, loss_fn, self.loader, quiet=True) as doctor:
            self.train()
        return doctor.findings

    def checked(self) -> list[Finding]:
        """What the doctor says beforehand."""
        return check(self.model, self.loss_fn, self.optimizer, self.loader, self.val_loader, self.step).findings


def watched(make: Callable[[], Bench], words: str) -> Case:
    """A case under `watch`. words: what is sick, or why it only looks so."""
    return Case(lambda: make().watched(), words)


def checked(make: Callable[[], Bench], words: str) -> Case:
    """A case under `check`."""
    return Case(lambda: make().checked(), words)


def blobs(rows: int = 512, *, features: int = 8, classes: int = 3, seed: int = 0, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """Gaussian clouds, one a class, which a small network tells apart: x_NF, y_N."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, features, generator=random) * 2
    y = torch.randint(classes, (rows,), generator=random)
    return centres[y] + spread * torch.randn(rows, features, generator=random), y


def curve(rows: int = 512, *, features: int = 4, seed: int = 0, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    """A smooth function of a few columns with noise, standardised: x_NF, y_N1."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=random)
    y = torch.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3] + noise * torch.randn(rows, 1, generator=random)
    return x, (y - y.mean()) / y.std()


def pictures(rows: int = 512, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Small pictures with a bright bar, upright, flat or slanted: x_N1HW (8 x 8), y_N."""
    random = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (rows,), generator=random)
    place = torch.randint(1, 7, (rows,), generator=random)
    grid = torch.arange(8)
    upright = (grid[None, None, :] == place[:, None, None]).expand(rows, 8, 8)
    slanted = (grid[None, :, None] + grid[None, None, :]) == (place[:, None, None] + 4)
    shapes = torch.stack([upright, upright.transpose(1, 2), slanted], 1)
    x = shapes[torch.arange(rows), y].float()[:, None] + 0.2 * torch.randn(rows, 1, 8, 8, generator=random)
    return x, y


def loader(*tensors: Tensor, batch_size: int = 32, shuffle: bool = True) -> DataLoader[Any]:
    """A torch DataLoader over tensors."""
    return DataLoader(TensorDataset(*tensors), batch_size=batch_size, shuffle=shuffle)


def classifier(**changes: Any) -> Bench:
    """An MLP on clouds, healthy; `changes` replace fields (optimizer is made anew for a changed model unless given)."""
    torch.manual_seed(0)
    x, y = blobs()
    model = changes.pop("model", None) or nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = changes.pop("optimizer", None) or torch.optim.Adam(model.parameters(), lr=1e-2)
    start: dict[str, Any] = {
        "loss_fn": nn.CrossEntropyLoss(),
        "loader": loader(x[:384], y[:384]),
        "val_loader": loader(x[384:], y[384:], shuffle=False),
    }
    return Bench(model, optimizer=optimizer, **{**start, **changes})


def regressor(**changes: Any) -> Bench:
    """An MLP on a smooth curve, healthy."""
    torch.manual_seed(0)
    x, y = curve()
    model = changes.pop("model", None) or nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = changes.pop("optimizer", None) or torch.optim.Adam(model.parameters(), lr=1e-2)
    start: dict[str, Any] = {
        "loss_fn": nn.MSELoss(),
        "loader": loader(x[:384], y[:384]),
        "val_loader": loader(x[384:], y[384:], shuffle=False),
    }
    return Bench(model, optimizer=optimizer, **{**start, **changes})


def convnet(**changes: Any) -> Bench:
    """A small CNN with batch norm on pictures of bars, healthy."""
    torch.manual_seed(0)
    x, y = pictures()
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU()]
    model = changes.pop("model", None) or nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.1), nn.Linear(144, 3))
    optimizer = changes.pop("optimizer", None) or torch.optim.Adam(model.parameters(), lr=3e-3)
    start: dict[str, Any] = {
        "loss_fn": nn.CrossEntropyLoss(),
        "loader": loader(x[:384], y[:384]),
        "val_loader": loader(x[384:], y[384:], shuffle=False),
    }
    return Bench(model, optimizer=optimizer, **{**start, **changes})
