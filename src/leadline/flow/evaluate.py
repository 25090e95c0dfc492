"""`evaluate`: the scores of a finished run's packaged model, on the run's own held-out parts or on other data of the same form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leadline import recipe as recipes
from leadline.base.errors import InputError
from leadline.base.find import find
from leadline.data.batches import Batches
from leadline.data.source import Examples
from leadline.data.split import read as read_split
from leadline.data.store import build_store
from leadline.evaluate.bootstrap import intervals
from leadline.evaluate.evaluate import predict_all, scores
from leadline.flow.devices import resolve as resolve_device
from leadline.flow.predict import model_folder
from leadline.flow.prepare import encoded, open_source, replace_data
from leadline.recipe import Recipe
from leadline.record.run import Run
from leadline.ship import package
from leadline.ship.package import Package

AT_ONCE = 256


def evaluate(folder: Path, data: str | None = None, *, device: str = "auto", say: Callable[[str], None]) -> dict[str, Any]:
    """{"val": {...}, "test": {...}} from the run's own split, or {"data": {...}} on all rows of `data`; each with "intervals".

    Nothing in the run folder changes. Raises InputError: LL011 (no trained model), LL029 (columns or labels the model does not know),
    LL014 (no target to compare with).
    """
    run = Run.open(folder)
    packaged = package.load(model_folder(run.folder), device=resolve_device(device))
    recipe = recipes.read(run.folder / "recipe.yaml")
    if data is not None:
        examples = _opened(replace_data(recipe, source=data, kind=None))
        sides = {"data": np.arange(len(examples))}
    else:
        examples = _opened(recipe)
        parts = read_split(run.folder)
        if not np.array_equal(parts.content, examples.content_hashes()):
            raise InputError(
                "LL012",
                "the data is no longer what the run was trained on",
                where=str(recipe.data.source),
                help=f"leadline evaluate {folder} DATA",
            )
        sides = {side: rows for side, rows in parts.sides().items() if side != "train" and len(rows)}
    return _scores(packaged, examples, sides, recipe, say=say)


def _opened(recipe: Recipe) -> Examples:
    if recipe.data.source is None:
        raise InputError(
            "LL011", "the run was trained on objects in memory, which are gone", where="data", help="leadline evaluate RUN DATA"
        )
    examples, _ = open_source(recipe)
    if examples.targets is None and find("tasks.kinds", str(recipe.task)).learns is not None:
        raise InputError("LL014", f"{examples.facts.name} has no target to compare with", where="data", help="leadline predict RUN FILE")
    return examples


def _scores(
    packaged: Package, examples: Examples, sides: dict[str, np.ndarray], recipe: Recipe, *, say: Callable[[str], None]
) -> dict[str, Any]:
    task = packaged.task
    targets = torch.from_numpy(encoded(task, examples))
    device = next(packaged.model.parameters()).device
    metrics = task.metrics if recipe.evaluate.metrics == "auto" else recipe.evaluate.metrics
    found: dict[str, Any] = {}
    with build_store(examples, packaged.preparer, "auto", device=device) as store:
        batches = Batches(store, packaged.preparer, indices=np.arange(len(examples)), targets=targets, batch_size=AT_ONCE, seed=0)
        for side, rows in sides.items():
            predictions = predict_all(packaged.model, task, batches=batches.sequential(rows, AT_ONCE), write=True)
            found[side] = scores(predictions, task, metrics=metrics)
            found["intervals"] = intervals(predictions, metrics)  # of the last side: the test, or the data given
            say(f"{side}: {len(rows):,} examples scored")
    return found
