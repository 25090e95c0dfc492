"""`demo`: the whole way on scikit-learn's handwritten digits, offline: look, check, train, evaluate, predict, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leadline import recipe as recipes
from leadline.data.sources.sklearn_set import SklearnSet
from leadline.flow.look import look
from leadline.flow.predict import predict_raw
from leadline.flow.train import train
from leadline.ship import package

EPOCHS = 15  # about 98.5 % on the test digits, in a quarter of a minute on one core


def demo(out: Path | None, say: Callable[[str], None]) -> Path:
    """Train the small network on the digits and show its answers to three test digits; returns the run's folder."""
    recipe = recipes.change(recipes.from_target("digits"), {"model": "cnn", "epochs": EPOCHS, "data.image_size": 16})
    say("look: what is there")
    seen = look(recipe)
    count, classes = f"{seen.facts.num_examples:,}", len(seen.facts.classes)
    say(f"  {count} pictures of {classes} classes; {len(seen.problems)} problems found in {seen.seconds:.1f} s")
    folder = train(recipe, out=out, device="cpu", command="leadline demo", say=say)
    _show_answers(folder, say)
    return folder


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
