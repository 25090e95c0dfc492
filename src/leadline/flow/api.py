"""The Python doors: train from code, open a run, load a trained model. The same words as the recipe and the command line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadline import recipe as recipes
from leadline.base.errors import InputError
from leadline.data.sources.memory import Memory
from leadline.flow import train as story
from leadline.flow.generate import write_on
from leadline.flow.predict import model_folder, predict_raw
from leadline.models.generate import Taste
from leadline.recipe import Recipe
from leadline.record.run import Run
from leadline.report.report import write_report
from leadline.ship import package
from leadline.ship.package import Package


@dataclass(frozen=True)
class OpenRun:
    """A run, read from its folder each time it is asked: what it says is what is on the disk."""

    folder: Path

    @property
    def scores(self) -> dict[str, Any]:
        """scores.json: {"val": {...}, "test": {...}, "intervals": {...}, "baselines": {...}, ...}."""
        return self._read("scores.json")

    @property
    def findings(self) -> list[dict[str, Any]]:
        """findings.json, worst first."""
        return self._read("findings.json")

    @property
    def checks(self) -> dict[str, Any]:
        """checks.json: the six preflight answers."""
        return self._read("checks.json")

    @property
    def facts(self) -> dict[str, Any]:
        """facts.json: data, split, guesses, layers."""
        return self._read("facts.json")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""
        return Run.open(self.folder).journal.read()

    def predict(self, x: Any) -> list[dict[str, Any]]:
        """One answer per example of x: paths, a DataFrame, a list of row dicts, or arrays of images (N, H, W[, C]) or rows (N, columns)."""
        return predict_raw(self.load(), x)

    def generate(
        self,
        prompt: str | None = None,
        *,
        count: int = 1,
        most: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> list[str]:
        """`count` texts, each beginning with the prompt, where there is one; equal seeds give equal texts. most: tokens of a text."""
        taste = Taste(temperature, top_k, top_p)
        texts = write_on(self.folder, prompt=prompt, count=count, most=most, taste=taste, seed=seed)
        return [text["prompt"] + text["text"] for text in texts]

    def load(self, *, device: str = "cpu") -> Package:
        """The trained model with its preparer and task."""
        return package.load(model_folder(self.folder), device=device)

    def report(self) -> Path:
        """Write report.html again and return its path."""
        return write_report(self.folder)

    def _read(self, name: str) -> Any:
        return Run.open(self.folder).read(name)


def train(
    target: Any, /, *, out: str | Path | None = None, device: str = "auto", quiet: bool = False, heal: bool = False, **settings: Any
) -> OpenRun:
    """Train one run and return it. heal: let the doctor apply its own controls, three times at most.

    target: a path, a set name, a recipe (file, dict or Recipe), a DataFrame (with target="column"), arrays (X, y), or a torch Dataset.
    settings: recipe fields, short (model=, epochs=, batch_size=, lr=, target=) or whole blocks (train={"seed": 1}, data={...}).
    """
    recipe = _recipe(target, settings)
    folder = story.train(
        recipe,
        out=None if out is None else Path(out),
        device=device,
        command=f"leadline.train({_shown(target)})",
        say=_quiet if quiet else _say,
        heal=heal,
    )
    return OpenRun(folder)


def open_run(folder: str | Path) -> OpenRun:
    """A run by its folder, or its name under ./runs. Raises InputError LL011 with the nearest run."""
    return OpenRun(Run.open(folder).folder)


def load(folder: str | Path, *, device: str = "cpu") -> Package:
    """The trained model of a run, or of a `model/` folder copied anywhere: `load(...).predict(raw)`."""
    return package.load(model_folder(Path(folder)), device=device)


def _recipe(target: Any, settings: dict[str, Any]) -> Recipe:
    is_named = isinstance(target, str | Path | dict | Recipe)
    if not is_named and Memory.recognises(target) is None:
        raise InputError(
            "LL004",
            f"a {type(target).__name__} is nothing that can be trained on",
            where="train(target)",
            help="a path, (X, y), a DataFrame or a Dataset",
        )
    return recipes.change(recipes.from_target(target), settings)


def _shown(target: Any) -> str:
    return repr(str(target)) if isinstance(target, str | Path) else f"<{type(target).__name__}>"


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _quiet(text: str) -> None:
    """Say nothing."""
