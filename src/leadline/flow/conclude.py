"""After the last step: what the network is worth, measured on the model that is packaged, beside what needs no network; then the report."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from leadline import __version__
from leadline.base.errors import LeadlineError
from leadline.data import shown
from leadline.evaluate.baselines import Baseline, fit_baselines
from leadline.evaluate.bootstrap import intervals
from leadline.evaluate.evaluate import predict_all, scores
from leadline.evaluate.groups import group_scores
from leadline.evaluate.predictions import Predictions, comparable
from leadline.evaluate.tables import deserve_a_look, write_predictions
from leadline.evaluate.verdict import verdict
from leadline.flow.prepare import model_options
from leadline.flow.setup import Rig
from leadline.models import build
from leadline.models.nets.network import Network
from leadline.record.run import Run
from leadline.report.model_card import write_card
from leadline.report.pictures import write_examples, write_rows
from leadline.report.plots import write_plots
from leadline.report.report import write_report
from leadline.ship import package
from leadline.ship.package import Package
from leadline.tasks.classification import Classification
from leadline.training.loop import Fitted

PARITY_ROWS = 64  # examples that go from raw input through the stored package


@dataclass(frozen=True)
class Sides:
    """Predictions of the packaged model by side, and which side the headline scores are from."""

    by_name: dict[str, Predictions]
    headline: str


def conclude(rig: Rig, run: Run, fitted: Fitted, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Package the best weights, measure them, compare with baselines, and write scores.json, predictions, plots, report and card."""
    packaged = _package(rig, run)
    sides = _predict(rig, packaged)
    _check_parity(rig, run, sides, say=say)
    found = _score(rig, run, sides, fitted, say=say)
    run.write("scores.json", found)
    if "test" in found:
        run.journal.write([{"step": fitted.step, "epoch": fitted.epochs, "split": "test", **found["test"]}])
    task, examples = rig.prepared.task, rig.prepared.examples
    classes = task.labels if isinstance(task, Classification) else ()
    for side, predictions in sides.by_name.items():
        write_predictions(run.path("predictions", f"{side}.parquet"), predictions, names=examples.names, classes=classes)
    _write_shown(rig, run, sides)
    run.update(status="finished")  # before the report, which says how the run ended and how long it took
    write_plots(run.folder)
    write_card(run.folder)
    say(f"report: {write_report(run.folder)}")
    return found


def _package(rig: Rig, run: Run) -> Package:
    """Write `model/` and read it back: what is measured from here on is what users get."""
    prepared, recipe = rig.prepared, rig.recipe
    assert isinstance(rig.model, Network)
    options, model = {**model_options(recipe), **rig.model.rebuild}, rig.model.plain()
    if model is not rig.model:
        rig.model.save_adapter(run.path("adapter"))
    config = {
        "schema": 1,
        "task": recipe.task,
        "model": build.to_config(recipe.model.name, options, prepared.preparer.gives, prepared.task.gives),
        "target": prepared.facts.target,
        "versions": {"leadline": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    package.save(run.path("model"), Package(model, prepared.preparer, prepared.task, config))
    return package.load(run.folder / "model", device=str(rig.device))


def _predict(rig: Rig, packaged: Package) -> Sides:
    sides = {name: rows for name, rows in rig.prepared.split.sides().items() if name != "train" and len(rows)}
    found = {
        name: predict_all(packaged.model, rig.prepared.task, batches=rig.batches.sequential(rows, rig.at_once))
        for name, rows in sides.items()
    }
    if not found:  # the user asked for no validation and no test: say what is known of the training side, by its name
        rows = rig.prepared.split.train
        found = {"train": predict_all(packaged.model, rig.prepared.task, batches=rig.batches.sequential(rows, rig.at_once))}
    return Sides(found, next(name for name in ("test", "val", "train") if name in found))


def _check_parity(rig: Rig, run: Run, sides: Sides, *, say: Callable[[str], None]) -> None:
    """Raw examples through the stored package must answer as the evaluation did: one preparer, one network, one answer."""
    predictions = sides.by_name[sides.headline]
    rows = predictions.index[:PARITY_ROWS]
    packaged = package.load(run.folder / "model")
    answers = packaged.task.predictions(packaged.outputs(packaged.stored(rig.prepared.examples.fetch(rows))))[predictions.needs]
    outputs, expected = comparable(answers), comparable(predictions.scored[: len(rows)])
    scale = max(1.0, float(np.abs(expected).max()))
    gap = float(np.abs(outputs - expected).max()) / scale
    if not gap <= 1e-3:  # kernels of another device or batch size differ by less; a preparer that differs does not
        raise LeadlineError(
            "LL038",
            f"the packaged model answers differently from the trained one, by {gap:.2g}",
            where=str(run.folder / "model"),
            help="report this",
        )
    say(f"package: {len(rows)} raw examples through model/ answer as in evaluation (largest difference {gap:.1g})")


def _score(rig: Rig, run: Run, sides: Sides, fitted: Fitted, *, say: Callable[[str], None]) -> dict[str, Any]:
    task, spec = rig.prepared.task, rig.recipe.evaluate
    metrics = task.metrics if spec.metrics == "auto" else spec.metrics
    headline = sides.by_name[sides.headline]
    found: dict[str, Any] = {side: scores(predictions, task, metrics=metrics) for side, predictions in sides.by_name.items()}
    found["intervals"] = intervals(headline, metrics, seed=rig.recipe.train.seed)
    found["headline"] = sides.headline
    found["best_step"] = fitted.best_step
    found["steps"] = fitted.step
    found["stopped_early"] = fitted.stopped_early
    found["train_seconds"] = round(fitted.seconds, 3)
    if fitted.events:
        found["events"] = list(fitted.events)
    if spec.groups is not None:
        groups = rig.prepared.examples.column(spec.groups)[headline.index]
        found["groups"] = group_scores(headline, groups, by=spec.groups, task=task, metrics=metrics)
    if spec.baselines and sides.headline != "train":
        say("baselines: fitting what needs no network")
        baselines = _baselines(rig, headline.index, metrics)
        found["baselines"] = {name: baseline.to_dict() for name, baseline in baselines.items()}
        found["verdict"] = verdict(headline, baselines, task=task)
        say(f"verdict: {found['verdict']}")
    run.log(f"scores: {found[sides.headline]}")
    return found


def _baselines(rig: Rig, test: np.ndarray, metrics: Any) -> dict[str, Baseline]:
    prepared = rig.prepared
    return fit_baselines(
        rig.store.fetch,
        prepared.targets,
        train=prepared.split.train,
        test=test,
        takes=prepared.preparer.gives,
        task=prepared.task,
        metrics=metrics,
        seed=rig.recipe.train.seed,
    )


def _write_shown(rig: Rig, run: Run, sides: Sides) -> None:
    """The raw form of the examples that the report shows."""
    rows = deserve_a_look(sides.by_name[sides.headline])
    prepared = rig.prepared
    pictures = shown.pictures(prepared.examples, rows, prepared.preparer)
    if pictures:
        write_examples(run.folder, dict(zip(rows.tolist(), pictures, strict=True)))
    else:
        write_rows(run.folder, dict(zip(rows.tolist(), shown.cells(prepared.examples, rows), strict=True)))
