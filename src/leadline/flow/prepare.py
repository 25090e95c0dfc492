"""From a recipe to everything a run needs, before a single file is written: data opened, cut and understood, settings resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.data.pictures import ImagePreparer
from leadline.data.prepare import Preparer
from leadline.data.rows import RowPreparer
from leadline.data.settings import AugmentSpec
from leadline.data.source import Examples, recognise
from leadline.data.split import Split, split
from leadline.flow import defaults
from leadline.flow.devices import resolve as resolve_device
from leadline.models import build
from leadline.recipe import Recipe
from leadline.record.facts import Facts, Guess
from leadline.record.ports import Images
from leadline.tasks.task import Task

Say = Callable[[str], None]
QUANTILES = 10  # strata of a regression target


@dataclass(frozen=True)
class Prepared:
    """What the story starts from. recipe: resolved, no "auto" left but precision's; targets: encoded, of all examples, (N,)."""

    recipe: Recipe
    examples: Examples
    split: Split
    task: Task
    preparer: Preparer
    targets: np.ndarray
    device: str
    guesses: tuple[Guess, ...]

    @property
    def facts(self) -> Facts:
        return self.examples.facts


def prepare(recipe: Recipe, *, device: str) -> Prepared:
    """Open the data, choose what was left open, and refuse what cannot work (InputError), all before the run folder exists."""
    device = resolve_device(device)
    examples, guess = open_source(recipe)
    kind, task_guess = choose_task(recipe, examples.facts)
    _need_target(examples, kind)
    parts = split(examples, recipe.data.split, seed=recipe.train.seed, strata=strata(examples))
    train_targets = _targets(examples)[parts.train]
    settings = recipe.train
    task = kind.bind(
        examples.facts, train_targets, loss=settings.loss, label_smoothing=settings.label_smoothing, class_weights=settings.class_weights
    )
    _fits(recipe, task, num_train=len(parts.train))
    preparer = preparer_for(examples.facts).fit(examples, parts.train, recipe.data)
    resolved, chosen = defaults.resolve(recipe, task, preparer.gives, num_train=len(parts.train))
    build.validate(resolved.model.name, model_options(resolved), "recipe, model")
    build.check_ports(resolved.model.name, takes=preparer.gives, gives=task.gives)
    guesses = (guess, *examples.facts.guesses, *task_guess, *parts.guesses, *getattr(preparer, "guesses", ()), *chosen)
    resolved = resolved.model_copy(update={"task": kind.name, "data": resolved.data.model_copy(update={"target": examples.facts.target})})
    return Prepared(resolved, examples, parts, task, preparer, task.encode(_targets(examples)), device, guesses)


def open_source(recipe: Recipe) -> tuple[Examples, Guess]:
    """The opened source, and why it was read as it was."""
    spec = recipe.data
    if recipe.task is not None and spec.target_kind is None:
        spec = spec.model_copy(update={"target_kind": find("tasks.kinds", recipe.task).learns})
    if spec.source is None:
        raise InputError("LL001", "the recipe names no data", where="recipe, data.source", help="data.source=PATH")
    if spec.kind is not None:
        return find("data.sources", spec.kind).open(spec.source, spec), Guess(f"source {spec.kind}", "you said so", "data.kind=NAME")
    found = recognise(spec.source)
    examples = found.source.open(spec.source, spec)
    return examples, Guess(f"source {found.name}", found.evidence, "data.kind=NAME (leadline list sources)")


def choose_task(recipe: Recipe, facts: Facts) -> tuple[type[Task], tuple[Guess, ...]]:
    """The task class the recipe names, or the first on the shelf that fits the facts, with its evidence."""
    if recipe.task is not None:
        return find("tasks.kinds", recipe.task), ()
    for name in names("tasks.kinds"):
        kind = find("tasks.kinds", name)
        guess = kind.guess(facts)
        if guess is not None:
            return kind, (guess,)
    raise InputError(
        "LL014",
        f"{facts.name} holds {facts.kind} without a target: nothing to learn from",
        where="data",
        help="name the column with target=COLUMN",
    )


def preparer_for(facts: Facts) -> type[Preparer]:
    """Pictures or rows: the preparer of that kind of example."""
    return ImagePreparer if facts.kind == "images" else RowPreparer


def strata(examples: Examples) -> np.ndarray | None:
    """(N,) what the split keeps in proportion: class labels, or the target's decile."""
    if examples.targets is None:
        return None
    if examples.facts.target_kind == "classes":
        return examples.targets.astype(str)
    edges = np.quantile(examples.targets, np.linspace(0, 1, QUANTILES + 1)[1:-1])
    return np.searchsorted(np.unique(edges), examples.targets)


def model_options(recipe: Recipe) -> dict[str, Any]:
    """The network's own settings: the keys of the `model` block beyond the common ones."""
    return dict(recipe.model.model_extra or {})


def _targets(examples: Examples) -> np.ndarray:
    assert examples.targets is not None
    return examples.targets


def _need_target(examples: Examples, kind: type[Task]) -> None:
    wanted = "images" if Images in kind.takes else "table"
    if examples.facts.kind != wanted:
        raise InputError(
            "LL030",
            f"task '{kind.name}' is for {wanted}, and {examples.facts.name} holds {examples.facts.kind}",
            where="task",
            help="leave task out",
        )
    if examples.targets is None:
        raise InputError("LL014", f"task '{kind.name}' needs a target, and {examples.facts.name} has none", where="data", help=kind.remedy)


def _fits(recipe: Recipe, task: Task, *, num_train: int) -> None:
    size = recipe.train.batch_size
    if size != "auto" and size > num_train:
        raise InputError(
            "LL025",
            f"train.batch_size = {size}, and the training split has {num_train} examples",
            where="recipe, train",
            help=f"batch_size={num_train}",
        )
    if size != "auto" and recipe.train.accumulate > size:
        raise InputError(
            "LL022",
            f"train.accumulate = {recipe.train.accumulate} cuts a batch of {size} into empty parts",
            where="recipe, train",
            help=f"train.accumulate={size}",
        )
    if recipe.train.oversample and recipe.train.class_weights == "balanced":
        text = "train.oversample and train.class_weights=balanced each make up for rare classes: together they do it twice"
        raise InputError("LL030", text, where="recipe, train", help="leave one of them out")
    if recipe.model.unfreeze_every is not None and recipe.model.freeze == "none":
        text = f"model.unfreeze_every = {recipe.model.unfreeze_every} has nothing to unfreeze: model.freeze is none"
        raise InputError("LL030", text, where="recipe, model", help="model.freeze=backbone")
    if isinstance(recipe.train.augment, AugmentSpec) and Images not in task.takes:
        text = f"train.augment changes images, and task '{task.name}' has none"
        raise InputError("LL030", text, where="train.augment", help="train.augment=none")
    metrics = recipe.evaluate.metrics
    for name in () if metrics == "auto" else metrics:
        needs = find("evaluate.metrics", name).needs
        if needs not in {find("evaluate.metrics", known).needs for known in task.metrics}:
            raise InputError(
                "LL022",
                f"metric '{name}' scores {needs}, and task '{task.name}' gives none",
                where="evaluate.metrics",
                help=", ".join(task.metrics),
            )


def with_train(recipe: Recipe, **values: Any) -> Recipe:
    """The recipe with some of its `train` values replaced."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=values)})


def replace_data(recipe: Recipe, **values: Any) -> Recipe:
    """The recipe with some of its `data` values replaced."""
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=values)})
