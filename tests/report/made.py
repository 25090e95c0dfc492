"""Whole run folders, written as a run writes them, with names that would do harm if a page believed them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from leadline.record.facts import Column, Facts, ImageSizes, Problem
from leadline.record.finding import QUESTIONS, Answer, Control, Finding
from leadline.report.pictures import write_examples, write_rows

EVIL = '<script>alert("x")</script>'
CLASSES = ("cat", EVIL, "$dog_%")
STEPS = 40


def classify(folder: Path, *, seed: int = 0, lr: float = 0.001, skill: float = 2.0, count: int = 90) -> Path:
    """A finished image classifier of three classes; predictions depend on seed and skill, the test examples on nothing."""
    generator = np.random.default_rng(seed)
    target = np.arange(count) % 3
    logits = generator.normal(size=(count, 3)) + skill * np.eye(3)[target]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    said = shares.argmax(1)
    accuracy = float((said == target).mean())
    columns: dict[str, Any] = {
        "index": np.arange(count),
        "name": [f"{EVIL}/{i}.png" for i in range(count)],
        "target": [CLASSES[i] for i in target],
        "prediction": [CLASSES[i] for i in said],
        "confidence": shares.max(1),
        "loss": -np.log(shares[np.arange(count), target]),
    }
    facts = Facts(
        "images",
        EVIL,
        count * 3,
        target_kind="classes",
        classes=CLASSES,
        class_counts=(count, count, count),
        images=ImageSizes((8, 8, 8), (8, 8, 8), {"RGB": count}),
        problems=(Problem("corrupt", "excluded", 1, (f"{EVIL}.png",), f"Cannot be read: {EVIL}"),),
    )
    scores = {
        "val": {"loss": 0.5, "accuracy": accuracy, "roc_auc": None},
        "test": {"loss": float(columns["loss"].mean()), "accuracy": accuracy, "roc_auc": None, "ece": 0.05},
        "intervals": {"accuracy": [accuracy - 0.05, accuracy + 0.05]},
        "headline": "test",
        "best_step": 30,
        "steps": STEPS,
        "baselines": {
            "majority": {"loss": 1.1, "accuracy": 0.33, "seconds": 0.0, "notes": []},
            "linear": {"loss": 0.9, "accuracy": 0.5, "seconds": 1.2, "notes": [f"fitted on {EVIL}"]},
            "gbdt": {"not_examined": "too slow on pixels"},
        },
        "verdict": f"the network wins here {EVIL}",
    }
    _common(folder, facts, scores=scores, columns=columns, task="classify_images", seed=seed, lr=lr)
    write_examples(
        folder, {i: generator.integers(0, 255, (8, 8, 3)).astype(np.uint8) for i in deserving(columns["loss"], columns["confidence"])}
    )
    return folder


def deserving(losses: np.ndarray, sure: np.ndarray) -> list[int]:
    """The examples a run would write pictures of."""
    return sorted({*np.argsort(-losses)[:12].tolist(), *np.argsort(-sure)[:30].tolist()})


def regress(folder: Path, *, seed: int = 0, noise: float = 5.0, count: int = 80) -> Path:
    """A finished regression on a table; the test examples depend on nothing."""
    target = np.linspace(100, 300, count)
    said = target + np.random.default_rng(seed).normal(0, noise, count)
    columns = {
        "index": np.arange(count),
        "name": [f"row {i + 1}" for i in range(count)],
        "target": target,
        "prediction": said,
        "loss": ((said - target) / 60) ** 2,
    }
    facts = Facts(
        "table",
        "prices.csv",
        count * 4,
        target=EVIL,
        target_kind="numbers",
        columns=(Column("size", "number", 3, 40, "12"), Column(EVIL, "id", 0, 80, EVIL, used=False, reason="different in every row")),
    )
    rmse = float(np.sqrt(np.mean((said - target) ** 2)))
    scores = {
        "val": {"loss": 0.1, "rmse": rmse},
        "test": {"loss": 0.1, "rmse": rmse, "r2": 0.9},
        "best_step": 30,
        "intervals": {"rmse": [4.0, 6.0]},
    }
    _common(folder, facts, scores=scores, columns=columns, task="regress_table", seed=seed, lr=0.01)
    write_rows(folder, {i: {"size": i, EVIL: "=cmd()", "none": float("nan")} for i in range(count)})
    return folder


def _common(folder: Path, facts: Facts, *, scores: dict[str, Any], columns: dict[str, Any], task: str, seed: int, lr: float) -> None:
    folder.mkdir(parents=True)
    (folder / "predictions").mkdir()
    parquet.write_table(pyarrow.table(columns), folder / "predictions" / "test.parquet")
    (folder / "plots").mkdir()
    plan = {"step": list(range(1, STEPS + 1)), "lr": [lr * (1 - i / STEPS) for i in range(STEPS)]}
    (folder / "plots" / "schedule.json").write_text(json.dumps(plan))
    train: list[dict[str, Any]] = [
        {
            "step": i,
            "epoch": 1,
            "split": "train",
            "loss": 2 / i,
            "lr": lr * (1 - i / STEPS),
            "grad_norm": 3 / i,
            "grad_norm_clipped": min(1.0, 3 / i),
            "grad_norms": {"first": 1 / i, "last": 2 / i},
            "examples_per_s": 1000.0 + i,
        }
        for i in range(1, STEPS + 1)
    ]
    metric = next(name for name in scores["test"] if name != "loss")
    val = [{"step": i, "epoch": i // 10, "split": "val", "loss": 2.2 / i, metric: scores["val"][metric]} for i in (10, 20, 30, 40)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train + val))
    checks = {question: Answer("yes", {"steps": 40, "loss_after": 0.001}).to_dict() for question in QUESTIONS[:5]}
    checks[QUESTIONS[5]] = Answer("no", {"reason": EVIL}).to_dict()
    finding = Finding(
        "T01", "missing_zero_grad", "error", "confirmed", f"Gradients pile up {EVIL}", Control(EVIL, {"train.x": EVIL}), step=3
    )
    split = {"how": "by content", "counts": {"train": 200, "val": 30, "test": 90}, "hashes": {"train": "aa", "val": "bb", "test": "cc"}}
    guess = {"what": f"task {task}", "evidence": EVIL, "override": "task=NAME"}
    layers = {"rows": [{"name": EVIL, "kind": "Linear", "shape": [1, 3], "parameters": 12345}], "parameters": 12345}
    files: dict[str, Any] = {
        "scores.json": scores,
        "checks.json": checks,
        "findings.json": [finding.to_dict()],
        "facts.json": {"facts": facts.to_dict(), "split": split, "guesses": [guess], "layers": layers, "measured": {"precision": "fp32"}},
        "run.json": {
            "schema": 1,
            "status": "finished",
            "task": task,
            "command": ["leadline", "train", EVIL],
            "versions": {"torch": "2.15"},
            "seed": seed,
            "device": "cpu",
            "started": "2026-11-20T10:00:00",
            "seconds": 61.0,
            "energy_wh": None,
            "git": None,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    recipe = {
        "schema": 1,
        "task": task,
        "data": {"source": "photos"},
        "model": {"name": "cnn"},
        "train": {"seed": seed, "epochs": 4, "optimizer": {"name": "adamw", "lr": lr}},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))  # YAML 1.2 holds JSON


def heal(folder: Path) -> None:
    """What `--heal` leaves beside a finished run, its names as harmful as the others."""
    finding = {"code": "O01", "cause": "lr_too_high", "explanation": f"the rate is too high {EVIL}"}
    course = {"step": [1, 2, 3], "loss": [2.3, 50.0, None]}
    change = {"changed": {"train.optimizer.lr": [3.0, 0.03]}, "left_out": [], "from": "the start", "why": EVIL}
    cure = {"finding": finding, **change, "before": course, "after": {"step": [1, 2], "loss": [2.3, 0.4]}, "helped": True}
    (folder / "heal.json").write_text(json.dumps({"schema": 1, "rounds": [cure], "given_up": True}), encoding="utf-8")
