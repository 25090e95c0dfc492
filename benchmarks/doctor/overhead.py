"""What `leadline.watch` costs beside the bare loop, `torch.autograd.set_detect_anomaly` and a naive hook monitor, in one run, interleaved.

    python benchmarks/doctor/overhead.py [--steps 600] [--rounds 5]

Each round trains the same network anew under every way; figures are ratios to the bare loop of the same round: of the median step, of the
median step after the first 200 (the steady state), and of the whole time, start and examinations included. CPU time of this process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

import leadline

STEADY = 200  # steps after which the first examinations are over


class TinyMLP(nn.Sequential):
    """About half a millisecond a step."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    shape, batch = (32,), 64


class SmallCNN(nn.Sequential):
    """About ten milliseconds a step."""

    def __init__(self) -> None:
        blocks = [[nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)] for a, b in ((1, 16), (16, 32), (32, 64))]
        super().__init__(*[layer for block in blocks for layer in block], nn.Flatten(), nn.Linear(576, 10))

    shape, batch = (1, 28, 28), 32


class SmallTransformer(nn.Module):
    """About ten milliseconds a step."""

    shape, batch = (32, 64), 16

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(64, 10)

    def forward(self, x_BTC: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x_BTC).mean(1))


@contextmanager
def bare(_model: nn.Module, _optimizer: Any) -> Iterator[None]:
    yield


@contextmanager
def watched(model: nn.Module, optimizer: Any) -> Iterator[None]:
    with leadline.watch(model, optimizer, quiet=True) as doctor:
        yield
    said.append(doctor.overhead)
    assert not doctor.findings, doctor.findings


@contextmanager
def anomaly(_model: nn.Module, _optimizer: Any) -> Iterator[None]:
    with torch.autograd.detect_anomaly(check_nan=True):
        yield


@contextmanager
def naive(model: nn.Module, optimizer: Any) -> Iterator[None]:
    """What people write: a number of every layer's output and of every gradient, each step."""
    numbers: list[float] = []
    handles = [
        m.register_forward_hook(lambda _m, _a, out: numbers.append(out.std().item())) for m in model.modules() if not list(m.children())
    ]
    handles.append(
        optimizer.register_step_pre_hook(
            lambda o, _a, _k: numbers.extend(p.grad.norm().item() for g in o.param_groups for p in g["params"])
        )
    )
    yield
    for handle in handles:
        handle.remove()


said: list[float] = []
WAYS: dict[str, Callable[..., Any]] = {"bare": bare, "watch": watched, "anomaly": anomaly, "naive hooks": naive}


def one(kind: Any, way: str, steps: int) -> tuple[list[float], float]:
    """Seconds of each step, and of the whole."""
    torch.manual_seed(0)
    model = kind()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()
    y = torch.randint(10, (64, kind.batch))
    x = torch.randn(64, kind.batch, *kind.shape) + y.reshape(64, kind.batch, *[1] * len(kind.shape)) / 5
    seconds: list[float] = []
    began = time.process_time()
    with WAYS[way](model, optimizer):
        for step in range(steps):
            before = time.process_time()
            optimizer.zero_grad()
            loss_fn(model(x[step % 64]), y[step % 64]).backward()
            optimizer.step()
            seconds.append(time.process_time() - before)
    return seconds, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    import warnings

    warnings.filterwarnings("ignore", message="Anomaly Detection")
    print(f"{'network':<18}{'way':<13}{'step ms':>8}{'median step':>13}{'steady step':>13}{'whole: median':>15}{'max':>8}")
    for kind in (TinyMLP, SmallCNN, SmallTransformer):
        one(kind, "watch", 30)  # imports are nobody's overhead
        said.clear()
        rounds = [{way: one(kind, way, given.steps) for way in WAYS} for _ in range(given.rounds)]
        for way in WAYS:
            median = [statistics.median(r[way][0]) / statistics.median(r["bare"][0]) for r in rounds]
            steady = [statistics.median(r[way][0][STEADY:]) / statistics.median(r["bare"][0][STEADY:]) for r in rounds]
            whole = [r[way][1] / r["bare"][1] for r in rounds]
            step = statistics.median(statistics.median(r[way][0]) for r in rounds) * 1e3
            row = f"{kind.__name__:<18}{way:<13}{step:>8.2f}{statistics.median(median):>13.3f}{statistics.median(steady):>13.3f}"
            print(f"{row}{statistics.median(whole):>15.3f}{max(whole):>8.3f}", flush=True)
        print(f"{'':<18}watch said {statistics.median(said):+.1%} (median of rounds)")


if __name__ == "__main__":
    main()
