"""Small real data for evaluation: scikit-learn's digits and diabetes, a task bound to each, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.datasets import load_diabetes, load_wine

from leadline.evaluate.predictions import Predictions, own_losses
from leadline.record.batch import Batch
from leadline.record.facts import Facts
from leadline.record.ports import Rows
from leadline.tasks.kinds.classify_table import ClassifyTable
from leadline.tasks.kinds.regress_table import RegressTable


class Wine:
    """178 wines of three classes, standardised, with one made-up category column."""

    def __init__(self) -> None:
        set_ = load_wine()
        numbers = (set_.data - set_.data.mean(0)) / set_.data.std(0)
        self.numbers = numbers.astype(np.float32)
        self.codes = (set_.data[:, :1] > 13).astype(np.int64) + 1
        labels = np.array(["barolo", "grignolino", "barbera"])[set_.target]
        facts = Facts("table", "wine", len(labels), target="kind", target_kind="classes", classes=("barolo", "grignolino", "barbera"))
        self.task = ClassifyTable.bind(facts, labels)
        self.encoded = self.task.encode(labels)
        order = np.random.default_rng(0).permutation(len(labels))
        self.train, self.test = order[:120], order[120:]
        self.takes = Rows(13, (3,))

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.numbers[indices], self.codes[indices]


class Diabetes(Wine):
    """442 patients and a number for each."""

    def __init__(self) -> None:
        set_ = load_diabetes()
        self.numbers = (set_.data / set_.data.std(0)).astype(np.float32)
        self.codes = np.empty((len(set_.data), 0), dtype=np.int64)
        facts = Facts("table", "diabetes", len(set_.data), target="progression", target_kind="numbers")
        self.raw = set_.target
        self.task = RegressTable.bind(facts, set_.target)
        self.encoded = self.task.encode(set_.target)
        order = np.random.default_rng(0).permutation(len(set_.data))
        self.train, self.test = order[:300], order[300:]
        self.takes = Rows(10)


class Net(torch.nn.Module):
    """Dropout and batch norm, so that a forgotten eval mode shows."""

    def __init__(self, takes: int, gives: int) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(takes, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(16, gives)
        )

    def forward(self, numbers: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return self.net(numbers)


def batches(data: Wine, indices: np.ndarray, size: int) -> Iterator[Batch]:
    for start in range(0, len(indices), size):
        rows = indices[start : start + size]
        yield Batch(
            tuple(torch.from_numpy(part) for part in data.fetch(rows)), torch.from_numpy(data.encoded[rows]), torch.from_numpy(rows)
        )


def said(probabilities: np.ndarray, targets: np.ndarray) -> Predictions:
    """Predictions of classes made by hand."""
    losses = own_losses(probabilities, targets)
    return Predictions({"probabilities": probabilities}, targets, targets, np.arange(len(targets)), losses, float(losses.mean()))


def skilled(count: int, *, skill: float, seed: int) -> Predictions:
    """Predictions of three classes that are right as often as `skill` allows, on targets that depend on `count` alone."""
    targets = np.random.default_rng(99).integers(0, 3, count)
    logits = np.random.default_rng(seed).normal(size=(count, 3)) + skill * np.eye(3)[targets]
    shares = np.exp(logits)
    return said(shares / shares.sum(1, keepdims=True), targets)
