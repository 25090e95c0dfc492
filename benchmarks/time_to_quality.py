"""Seconds to a given test accuracy: leadline's defaults against the textbook loop, in one run, taking turns.

    OMP_NUM_THREADS=1 python benchmarks/time_to_quality.py DATA [--goal 0.91] [--rounds 3]

DATA is anything that `leadline train` takes with a test part of its own, or of which it cuts one: MNIST idx files, a folder of pictures.
Both see the same training, validation and test examples and are asked after each epoch what they score on the test examples. Counted is
the time spent training (decoding and that question are not), until the goal is first reached. The textbook: fp32, a DataLoader that
normalises each picture, a CNN of two convolutions and two linear layers, Adam at 1e-3, batch 64, as in the tutorials.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from leadline import recipe as recipes
from leadline.evaluate.evaluate import predict_all, scores
from leadline.flow.prepare import Prepared, prepare
from leadline.flow.setup import Rig, set_up
from leadline.training.distributed import World
from leadline.training.loop import fit
from leadline.training.meter import Silent
from leadline.training.watchers import Epoch

MOST_EPOCHS = 30  # of the textbook: it has no end of its own


@dataclass(frozen=True)
class Outcome:
    """seconds: of training until the goal, None when it was not reached; best: the highest test accuracy seen."""

    seconds: float | None
    best: float
    epochs: int


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Normalised pictures one by one, as a tutorial's Dataset gives them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, mean: float, std: float) -> None:
        self.images, self.labels, self.mean, self.std = images, labels, mean, std

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = torch.from_numpy(self.images[index]).float() / 255
        return (picture - self.mean) / self.std, int(self.labels[index])


def leadline_once(prepared: Prepared, goal: float) -> Outcome:
    """The defaults, as `leadline train` runs them, but for the report. The time of measuring threads and precision is counted."""
    start = time.perf_counter()
    rig = set_up(prepared, folder=None, world=World(), say=lambda text: None)
    clock = Clock(goal, started=start)

    def asked(epoch: Epoch) -> None:
        clock.ask(lambda: _accuracy(rig))

    fit(
        rig.model,
        prepared.task,
        rig.batches,
        rig.recipe.train,
        optimizers=rig.optimizers,
        schedule=rig.schedule,
        precision=rig.precision,
        device=rig.device,
        journal=Silent(),
        checkpoints=None,
        validate=None,
        on_epoch=asked,
        stop=lambda: False,
    )
    return clock.outcome()


def textbook_once(prepared: Prepared, goal: float) -> Outcome:
    """The loop that everybody writes first."""
    rows = prepared.split.train
    images, labels = _arrays(prepared, rows)
    tests, truth = _arrays(prepared, prepared.split.test)
    mean, std = float(images.mean() / 255), float(images.std() / 255)
    torch.manual_seed(0)
    model = _textbook_net(images.shape[1:], int(labels.max()) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(Pictures(images, labels, mean, std), batch_size=64, shuffle=True)
    quiz = DataLoader(Pictures(tests, truth, mean, std), batch_size=256)
    clock = Clock(goal, started=time.perf_counter())
    for _ in range(MOST_EPOCHS):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            loss.item()
        if clock.ask(lambda: _textbook_accuracy(model, quiz)):
            break
    return clock.outcome()


class Clock:
    """Training time: it stands while the question is asked."""

    def __init__(self, goal: float, *, started: float) -> None:
        self.goal, self.started = goal, started
        self.paused, self.best, self.epochs = 0.0, 0.0, 0
        self.reached: float | None = None

    def ask(self, question: Callable[[], float]) -> bool:
        """Take in one epoch's accuracy; whether the goal is reached."""
        asked = time.perf_counter()
        accuracy = question()
        self.best, self.epochs = max(self.best, accuracy), self.epochs + 1
        if accuracy >= self.goal and self.reached is None:
            self.reached = asked - self.started - self.paused
        self.paused += time.perf_counter() - asked
        return self.reached is not None

    def outcome(self) -> Outcome:
        """What came of it."""
        return Outcome(self.reached, self.best, self.epochs)


def _accuracy(rig: Rig) -> float:
    batches = map(rig.precision.arrange, rig.batches.sequential(rig.prepared.split.test, 256))
    found = predict_all(rig.model, rig.prepared.task, batches=batches, autocast=rig.precision.autocast(rig.device))
    accuracy = scores(found, rig.prepared.task, metrics=["accuracy"])["accuracy"]
    assert accuracy is not None
    return accuracy


@torch.no_grad()
def _textbook_accuracy(model: nn.Module, quiz: DataLoader[Any]) -> float:
    model.eval()
    right = [(model(x).argmax(1) == y).float() for x, y in quiz]
    return float(torch.cat(right).mean())


def _textbook_net(shape: tuple[int, ...], classes: int) -> nn.Module:
    channels, side = shape[0], shape[1] // 4
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * side * (shape[2] // 4), 128),
        nn.ReLU(),
        nn.Linear(128, classes),
    )


def _arrays(prepared: Prepared, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return prepared.preparer.store(prepared.examples.fetch(rows))[0], prepared.targets[rows]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data")
    words.add_argument("--goal", type=float, default=0.985)
    words.add_argument("--rounds", type=int, default=3)
    asked = words.parse_args()
    prepared = prepare(recipes.from_target(asked.data), device="cpu")
    sides = {"leadline": leadline_once, "textbook": textbook_once}
    taken: dict[str, list[Outcome]] = {name: [] for name in sides}
    for number in range(asked.rounds):
        for name, run in sides.items():
            outcome = run(prepared, asked.goal)
            taken[name].append(outcome)
            reached = "never" if outcome.seconds is None else f"{outcome.seconds:.1f} s"
            print(
                f"round {number + 1}  {name:<9} {asked.goal:.1%} after {reached}  (best {outcome.best:.2%} in {outcome.epochs} epochs)",
                flush=True,
            )
    medians = {
        name: statistics.median(each.seconds if each.seconds is not None else float("inf") for each in outcomes)
        for name, outcomes in taken.items()
    }
    ratio = medians["textbook"] / medians["leadline"]
    print(f"median: leadline {medians['leadline']:.1f} s, textbook {medians['textbook']:.1f} s: {ratio:.1f} times faster")


if __name__ == "__main__":
    main()
