"""leadline's doctor beside two small packages that claim the same, on the handwritten digits: 4 healthy set-ups and 13 sick ones.

    python benchmarks/doctor/beside_others.py            # in an environment that also has torchmortem and training-doctor

They are not dependencies: a package that is not installed is left out, and said so. Each set-up is trained once under each tool, on the
same data with the same seed; a tool "speaks" where it gives a warning or worse. What the others name is printed as they word it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

STEPS = 300


@dataclass
class Setup:
    """model, optimizer, loader and one training step; what a user's script has."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loader: DataLoader
    loss_fn: Callable[..., torch.Tensor] = F.cross_entropy
    step: Callable[[Setup, Any], torch.Tensor] | None = None


def digits(scale: float = 1 / 16, order: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x * scale, dtype=torch.float32), torch.tensor(y)
    return (x, y) if order is None else order(x, y)


def mlp(*, act: Any = nn.ReLU, depth: int = 2, width: int = 64, tail: tuple[nn.Module, ...] = ()) -> nn.Sequential:
    sizes = [64] + [width] * (depth - 1)
    layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), act())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10), *tail)


def cnn() -> nn.Sequential:
    blocks = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2)]
    return nn.Sequential(*blocks, nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(288, 10))


def adam(model: nn.Module, lr: float = 1e-3, **more: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=lr, **more)


def loader(x: torch.Tensor, y: torch.Tensor, *, shuffle: bool = True) -> DataLoader:
    return DataLoader(TensorDataset(x, y), batch_size=32, shuffle=shuffle)


def plain(setup: Setup, batch: Any) -> torch.Tensor:
    x, y = batch
    setup.optimizer.zero_grad()
    loss = setup.loss_fn(setup.model(x), y)
    loss.backward()
    setup.optimizer.step()
    return loss


def no_zero(setup: Setup, batch: Any) -> torch.Tensor:
    x, y = batch
    loss = setup.loss_fn(setup.model(x), y)
    loss.backward()
    setup.optimizer.step()
    return loss


def late_zero(setup: Setup, batch: Any) -> torch.Tensor:
    x, y = batch
    loss = setup.loss_fn(setup.model(x), y)
    loss.backward()
    setup.optimizer.zero_grad()
    setup.optimizer.step()
    return loss


def half_rate(setup: Setup, batch: Any) -> torch.Tensor:
    x, y = batch
    setup.optimizer.zero_grad()
    loss = setup.loss_fn(setup.model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(setup.model.parameters(), 0.5)
    setup.optimizer.step()
    return loss


def make(model: nn.Module, optimizer: Any = None, *, data: Any = None, shuffle: bool = True, **more: Any) -> Setup:
    return Setup(model, optimizer or adam(model), loader(*(data or digits()), shuffle=shuffle), **more)


def shuffled_labels(x: torch.Tensor, y: torch.Tensor) -> Any:
    return x, y[torch.randperm(len(y))]


def sorted_by_class(x: torch.Tensor, y: torch.Tensor) -> Any:
    order = y.argsort(stable=True)
    return x[order], y[order]


def stale() -> Setup:
    model = mlp()
    optimizer = adam(model)
    model[2] = nn.Linear(64, 10)
    model[0] = nn.Linear(64, 64)
    return make(model, optimizer)


def zeroed() -> Setup:
    model = mlp()
    for p in model.parameters():
        nn.init.zeros_(p)
    return make(model)


def sgd(model: nn.Module, lr: float, **more: Any) -> Setup:
    return make(model, torch.optim.SGD(model.parameters(), lr=lr, **more))


def as_numbers(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(out.mean(1, keepdim=True), y.float())


HEALTHY: dict[str, Callable[[], Setup]] = {
    "MLP, Adam": lambda: make(mlp()),
    "CNN with batch norm and dropout": lambda: make(cnn()),
    "MLP, SGD with momentum, always clipped": lambda: Setup(
        m := mlp(), torch.optim.SGD(m.parameters(), 0.1, 0.9), loader(*digits()), step=half_rate
    ),
    "tanh MLP, AdamW, label smoothing": lambda: make(
        m := mlp(act=nn.Tanh, depth=3),
        torch.optim.AdamW(m.parameters(), 2e-3),
        loss_fn=lambda o, y: F.cross_entropy(o, y, label_smoothing=0.1),
    ),
}
SICK: dict[str, tuple[str, Callable[[], Setup]]] = {
    "learning rate x 1000": ("O01", lambda: make(m := mlp(), adam(m, 1.0))),
    "learning rate / 10,000": ("O02", lambda: make(m := mlp(), adam(m, 1e-7))),
    "no zero_grad": ("T01", lambda: make(mlp(), step=no_zero)),
    "zero_grad before step": ("T02", lambda: make(mlp(), step=late_zero)),
    "softmax before cross_entropy": ("L01", lambda: sgd(mlp(tail=(nn.Softmax(1),)), 0.05)),
    "softmax over the batch": ("M16", lambda: make(mlp(tail=(nn.Softmax(0),)))),
    "all weights zero": ("M04", zeroed),
    "optimizer of replaced layers": ("O03", stale),
    "labels shuffled": ("D03", lambda: make(mlp(), data=digits(order=shuffled_labels))),
    "sorted by class, not shuffled": ("D08", lambda: make(mlp(), data=digits(order=sorted_by_class), shuffle=False)),
    "20 sigmoid layers": ("M01", lambda: make(mlp(act=nn.Sigmoid, depth=20))),
    "sign of the loss flipped": ("L05", lambda: make(mlp(), loss_fn=lambda o, y: -F.cross_entropy(o, y))),
    "(N,1) against (N,) in the loss": ("L04", lambda: make(mlp(), loss_fn=as_numbers)),
}


def train(setup: Setup, told: Callable[[int, float], None] = lambda _i, _l: None) -> float:
    """Train, and the seconds it took."""
    began, done = time.process_time(), 0
    while done < STEPS:
        for batch in setup.loader:
            told(done, float((setup.step or plain)(setup, batch).detach()))
            done += 1
    return time.process_time() - began


def by_leadline(setup: Setup) -> list[str]:
    import leadline

    with leadline.watch(setup.model, setup.optimizer, loader=setup.loader, quiet=True) as doctor:
        train(setup)
    return [f"{f.code} {f.cause}" for f in doctor.findings if f.severity != "note"]


def by_torchmortem(setup: Setup) -> list[str]:
    from torchmortem import Autopsy  # type: ignore[import-not-found]
    from torchmortem.types import Severity  # type: ignore[import-not-found]

    with Autopsy(setup.model, optimizer=setup.optimizer) as autopsy:
        train(setup, lambda _step, loss: autopsy.step(loss=loss))
    return [f.title for f in autopsy.get_report().findings if f.severity >= Severity.WARNING]


def by_training_doctor(setup: Setup) -> list[str]:
    from training_doctor import Doctor  # type: ignore[import-not-found]

    doctor = Doctor()
    doctor.set_auto_print(False)

    def told(step: int, loss: float) -> None:
        norms = [p.grad.norm() for p in setup.model.parameters() if p.grad is not None]
        norm = float(torch.stack(norms).norm()) if norms else 0.0
        doctor.log(step=step, loss=loss, lr=setup.optimizer.param_groups[0]["lr"], grad_norm=norm)

    train(setup, told)
    return [d.problem for d in doctor.analyze() if d.severity.value != "info"]


TOOLS: dict[str, tuple[str, Callable[[Setup], list[str]]]] = {
    "leadline": ("leadline", by_leadline),
    "torchmortem": ("torchmortem", by_torchmortem),
    "training-doctor": ("training_doctor", by_training_doctor),
}


def said(tool: Callable[[Setup], list[str]], build: Callable[[], Setup]) -> list[str]:
    torch.manual_seed(0)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return list(dict.fromkeys(tool(build())))


def main() -> None:
    torch.set_num_threads(1)
    there = {name: tool for name, (package, tool) in TOOLS.items() if importlib.util.find_spec(package)}
    print("not installed, left out:", [name for name in TOOLS if name not in there] or "none")
    table: dict[str, list[int]] = {name: [0, 0, 0] for name in there}
    for words, code, build in [(w, "", b) for w, b in HEALTHY.items()] + [(w, c, b) for w, (c, b) in SICK.items()]:
        print(f"\n{words}  [{code or 'healthy'}]")
        for name, tool in there.items():
            found = said(tool, build)
            table[name][0] += not code and bool(found)
            table[name][1] += bool(code and found)
            table[name][2] += bool(code and found and found[0].startswith(code))
            print(f"   {name:<17}{'; '.join(found) or '(silent)'}"[:200])
    print(f"\n{'':<20}{'healthy with an alarm':>24}{'sick with an alarm':>22}{'right code first':>20}")
    for name, (false, true, named) in table.items():
        named_text = f"{named} of {len(SICK)}" if name == "leadline" else "(no codes)"
        print(f"{name:<20}{f'{false} of {len(HEALTHY)}':>24}{f'{true} of {len(SICK)}':>22}{named_text:>20}")


if __name__ == "__main__":
    main()
