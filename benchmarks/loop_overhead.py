"""What the loop costs: seconds per training step against the hand-written loop and other trainers.

    OMP_NUM_THREADS=1 python benchmarks/loop_overhead.py --rounds 5

Same model, data, batch size, steps and optimizer (AdamW) for all, each in a process of its own. All take their turn in every round, so that
a busy moment of the machine hits all of them; compared are medians over the rounds, as ratios to the hand-written loop with a DataLoader. A
step's time runs from one forward pass to the next, averaged over all steps but the first 20: starting up is not counted, whatever a trainer
does between steps is.
Peers that are not installed are left out with a word.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from leadline.data.batches import Batches
from leadline.data.prepare import Preparer
from leadline.data.store import Layout
from leadline.data.store_memory import MemoryStore
from leadline.record.journal import Journal
from leadline.record.ports import Rows
from leadline.tasks.kinds.classify_table import ClassifyTable
from leadline.training.loop import fit
from leadline.training.optim import build_optimizers
from leadline.training.precision import Precision
from leadline.training.settings import TrainSpec

CPU = torch.device("cpu")
CLASSES = 10
BATCH = 64
WARM = 20  # steps that are not counted: kernels are set up, caches are cold
LR = 1e-3


class Timed(nn.Module):
    """A model that notes the moment of each forward pass."""

    def __init__(self, inner: nn.Module, clock: Callable[[], float]) -> None:
        super().__init__()
        self.inner, self.clock = inner, clock
        self.moments: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The inner model's logits."""
        self.moments.append(self.clock())
        return self.inner(x)

    def step_s(self) -> float:
        """Mean seconds from one forward pass to the next."""
        return (self.moments[-1] - self.moments[WARM]) / (len(self.moments) - 1 - WARM)


@dataclass(frozen=True)
class Case:
    """One model with its data. epochs: so many that a round takes a second or two."""

    name: str
    model: Callable[[], nn.Module]
    inputs: torch.Tensor
    target: torch.Tensor
    epochs: int
    clock: Callable[[], float]

    def fresh(self) -> Timed:
        """The model with the same first weights each time."""
        torch.manual_seed(0)
        return Timed(self.model(), self.clock)


def mlp() -> nn.Module:
    """64-128-10: a step is mostly what surrounds it."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, CLASSES))


def cnn() -> nn.Module:
    """Three convolutions for 28-pixel pictures: a step is mostly arithmetic."""
    layers: list[nn.Module] = []
    for wide_in, wide_out in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(wide_in, wide_out, 3, padding=1), nn.BatchNorm2d(wide_out), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 9, CLASSES))


def by_hand(case: Case) -> Timed:
    """The loop of the tutorials: DataLoader, zero_grad, forward, backward, step."""
    model = case.fresh()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    loader = DataLoader(TensorDataset(case.inputs, case.target), batch_size=BATCH, shuffle=True)
    for _ in range(case.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return model


def bare(case: Case) -> Timed:
    """The least that a loop can do: slices of shuffled tensors and a fused optimizer; no log, no clipping, no check."""
    model = case.fresh()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)
    for _ in range(case.epochs):
        order = torch.randperm(len(case.target))
        inputs, target = case.inputs[order].split(BATCH), case.target[order].split(BATCH)
        for x, y in zip(inputs, target, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return model


class AsIs(Preparer):
    """Arrays that are model inputs already."""

    kind = "as_is"
    gives = Rows(1)

    @classmethod
    def fit(cls, examples: Any, train: np.ndarray, spec: Any) -> AsIs:
        """Nothing to learn."""
        return cls()

    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """As given."""
        return (raw,)

    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """As stored."""
        return stored

    def to_dict(self) -> dict[str, Any]:
        """Its kind."""
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> AsIs:
        """Itself."""
        return cls()


def leadline_in(precision: Precision) -> Callable[[Case], Timed]:
    """leadline's batches and loop, with everything on that a run has: clipping, norms by layer, checks, a row of metrics per step."""

    def run(case: Case) -> Timed:
        model = case.fresh()
        optimizer: dict[str, Any] = {"name": "adamw", "lr": LR, "weight_decay": 0.01}
        spec = TrainSpec.model_validate({"epochs": case.epochs, "batch_size": BATCH, "optimizer": optimizer, "early_stop": None})
        layout = Layout((tuple(case.inputs.shape[1:]),), (np.dtype("float32"),), len(case.target))
        store = MemoryStore(layout, [(0, (case.inputs.numpy(),))], device=CPU, reason="benchmark")
        batches = Batches(store, AsIs(), indices=np.arange(len(case.target)), targets=case.target, batch_size=BATCH, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            fit(
                model,
                ClassifyTable(tuple(map(str, range(CLASSES)))),
                batches,
                spec,
                optimizers=build_optimizers(model, spec.optimizer, device=CPU),
                schedule=[LR] * (case.epochs * batches.steps),
                precision=precision,
                device=CPU,
                journal=Journal(Path(folder) / "metrics.jsonl"),
                checkpoints=None,
                validate=None,
            )
        return model

    return run


def lightning(case: Case) -> Timed:
    """Lightning's Trainer, without its logger, bar and checkpoints."""
    import lightning as pl

    model = case.fresh()

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            x, y = batch
            return F.cross_entropy(self.model(x), y)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=LR)

    quiet: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = pl.Trainer(max_epochs=case.epochs, accelerator="cpu", devices=1, **quiet)
    trainer.fit(Module(), DataLoader(TensorDataset(case.inputs, case.target), batch_size=BATCH, shuffle=True))
    return model


class Fields(Dataset):
    """Examples as the dicts that the HF Trainer wants."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def __len__(self) -> int:
        return len(self.case.target)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return {"x": self.case.inputs[number], "labels": self.case.target[number]}


def hf_trainer(case: Case) -> Timed:
    """The Hugging Face Trainer, without reports, bars and checkpoints."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    model = case.fresh()

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            logits = self.model(x)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

    with tempfile.TemporaryDirectory() as folder:
        quiet: dict[str, Any] = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "logging_strategy": "no"}
        size: dict[str, Any] = {"per_device_train_batch_size": BATCH, "num_train_epochs": case.epochs, "learning_rate": LR}
        options = TrainingArguments(output_dir=folder, use_cpu=True, **size, **quiet)
        trainer = Trainer(model=Module(), args=options, train_dataset=Fields(case))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model


def keras(case: Case) -> Timed:
    """Keras's fit on the torch backend, on arrays in memory."""
    import keras as k

    model = case.fresh()
    wrapped = k.Sequential([k.layers.Input(case.inputs.shape[1:]), k.layers.TorchModuleWrapper(model)])
    model.moments.clear()
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    wrapped.compile(optimizer=k.optimizers.AdamW(LR), loss=loss)
    wrapped.fit(case.inputs.numpy(), case.target.numpy(), batch_size=BATCH, epochs=case.epochs, verbose=0, shuffle=True)
    return model


HALF = "leadline, bf16 channels-last"
PEERS: dict[str, tuple[str | None, Callable[[Case], Timed]]] = {
    "hand-written loop with DataLoader": (None, by_hand),
    "bare loop: cached tensors, fused": (None, bare),
    "leadline": (None, leadline_in(Precision())),
    HALF: (None, leadline_in(Precision("bf16", channels_last=True))),
    "Lightning": ("lightning", lightning),
    "HF Trainer": ("transformers", hf_trainer),
    "Keras (torch)": ("keras", keras),
}


def cases(clock: Callable[[], float]) -> list[Case]:
    """The tiny perceptron and the small convolutional net, on random data."""
    generator = torch.Generator().manual_seed(0)
    rows, pictures = torch.randn(4096, 64, generator=generator), torch.randn(2048, 1, 28, 28, generator=generator)
    target = torch.randint(0, CLASSES, (4096,), generator=generator)
    return [Case("tiny MLP", mlp, rows, target, 12, clock), Case("small CNN", cnn, pictures, target[:2048], 3, clock)]


def compare(case: str, options: argparse.Namespace) -> dict[str, float | None]:
    """Median seconds per step of each; None where it is not installed."""
    present = [name for name, (package, _) in PEERS.items() if package is None or importlib.util.find_spec(package)]
    times: dict[str, list[float]] = {name: [] for name in present if case == "small CNN" or name != HALF}
    for _ in range(options.rounds):
        for name, taken in times.items():
            command = [sys.executable, __file__, "--one", name, "--case", case, *(["--cpu-time"] if options.cpu_time else [])]
            found = subprocess.run(command, check=True, capture_output=True, text=True)
            taken.append(float(found.stdout.splitlines()[-1]))
    return {name: statistics.median(times[name]) if name in times else None for name in PEERS}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="count processor seconds, for machines that others use too")
    parser.add_argument("--json", type=Path, help="write the seconds there")
    parser.add_argument("--case", choices=["tiny MLP", "small CNN"], help="this one only")
    parser.add_argument("--one", choices=list(PEERS), help="measure one peer once, here, and print its seconds per step")
    options = parser.parse_args()
    chosen = [case for case in cases(time.process_time if options.cpu_time else time.perf_counter) if options.case in (None, case.name)]
    if options.one:
        warnings.filterwarnings("ignore")
        logging.disable(logging.WARNING)
        print(PEERS[options.one][1](chosen[0]).step_s())
        return
    found: dict[str, dict[str, float | None]] = {}
    for case in chosen:
        found[case.name] = compare(case.name, options)
        _show(case.name, found[case.name])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def _show(name: str, times: dict[str, float | None]) -> None:
    base = times["hand-written loop with DataLoader"]
    assert base is not None
    print(f"{name}, batch {BATCH}, {torch.get_num_threads()} thread(s)")
    for peer, seconds in times.items():
        package = PEERS[peer][0]
        if seconds is not None:
            print(f"  {peer:<36} {seconds * 1e6:>9.0f} us/step   {seconds / base:>5.2f} x", flush=True)
        elif package:
            print(f"  {peer:<36} not installed: pip install {package}")


if __name__ == "__main__":
    main()
