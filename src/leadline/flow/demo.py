"""`demo`: a network that does not learn, named, cured and trained again, on scikit-learn's handwritten digits, offline.

The planted fault is the commonest one, a learning rate far too high. Nothing is played: the doctor hears the run as it would any
other, proves the cause by a replay on a copy, and `--heal` does the rest. Then the healthy network is evaluated, asked, and reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leadline import recipe as recipes
from leadline.data.sources.sklearn_set import SklearnSet
from leadline.flow.look import look
from leadline.flow.predict import predict_raw
from leadline.flow.train import train
from leadline.ship import package

EPOCHS = 10  # about 98.5 % on the test digits, in some ten seconds on one core
QUICK = {"train.threads": 1, "train.precision": "fp32", "train.channels_last": False}  # to measure what is fastest would take as long
FAULT = {"lr": 2.0}  # for AdamW some thousand times the usual rate


def demo(out: Path | None, say: Callable[[str], None]) -> Path:
    """Train the small network with a planted fault, let the doctor name and cure it; returns the run's folder."""
    plan: dict[str, Any] = {"model": "cnn", "epochs": EPOCHS, "data.image_size": 16, "train.optimizer.name": "adamw", **QUICK, **FAULT}
    plan["check.doctor"] = "watch"  # its look at the set-up would name the fault before a single step, and there would be no curve to show
    recipe = recipes.change(recipes.from_target("digits"), plan)
    say("look: what is there")
    seen = look(recipe)
    count, classes = f"{seen.facts.num_examples:,}", len(seen.facts.classes)
    say(f"  {count} pictures of {classes} classes; {len(seen.problems)} problems found in {seen.seconds:.1f} s")
    say(f"planted fault: train.optimizer.lr={FAULT['lr']:g}; the doctor is not told")
    folder = train(recipe, out=out, device="cpu", command="leadline demo", say=say, heal=True)
    _show_cure(folder, say)
    _show_answers(folder, say)
    return folder


def _show_cure(folder: Path, say: Callable[[str], None]) -> None:
    """What the doctor did, in three lines."""
    for each in json.loads((folder / "heal.json").read_text(encoding="utf-8"))["rounds"]:
        finding = each["finding"]
        changes = ", ".join(f"{key} {before:g} -> {after:g}" for key, (before, after) in each["changed"].items())
        say(f"the doctor named {finding['code']} {finding['cause']} ({finding['confidence']}) and changed {changes}")
    say(f"both curves in one picture: {folder / 'plots' / 'heal.png'}")


def _show_answers(folder: Path, say: Callable[[str], None]) -> None:
    """Three test digits through the packaged model, as a user would ask it."""
    from leadline.data.split import read

    recipe = recipes.read(folder / "recipe.yaml")
    examples = SklearnSet.open("digits", recipe.data)
    rows = read(folder).test[:3]
    answers = predict_raw(package.load(folder / "model"), examples.fetch(rows))
    assert examples.targets is not None
    for row, answer in zip(rows, answers, strict=True):
        say(f"predict: {examples.names[row]} is {examples.targets[row]}; the network says {answer['label']} ({answer['confidence']:.1%})")
