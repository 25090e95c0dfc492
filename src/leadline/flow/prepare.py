"""From a recipe to everything a run needs, before a single file is written: data opened, cut and understood, settings resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadline import recipe as recipes
from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.data.prepare import Preparer
from leadline.data.settings import AugmentSpec, DataSpec
from leadline.data.source import Examples, Found, recognise
from leadline.data.split import Split, split
from leadline.flow import defaults
from leadline.flow.devices import resolve as resolve_device
from leadline.models import build
from leadline.recipe import Recipe
from leadline.record.facts import Facts, Guess
from leadline.record.ports import Images
from leadline.tasks.task import Task, Wishes
from leadline.training.settings import TrainSpec

Say = Callable[[str], None]
OPTIONS = ("label_smoothing", "class_weights", "oversample", "mask_rate", "beta", "temperature")
"""Keys of `train` that only some tasks make use of."""
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
    preparer: Preparer = find("data.preparers", kind.prepares).fit(examples, parts.train, data_spec(recipe))
    task = bind(kind, examples, parts.train, preparer, recipe)
    _fits(recipe, task, num_train=len(parts.train))
    resolved, chosen = defaults.resolve(recipe, task, preparer.gives, num_train=len(parts.train))
    build.validate(resolved.model.name, model_options(resolved), "recipe, model")
    build.check_ports(resolved.model.name, takes=preparer.gives, gives=task.gives)
    guesses = (guess, *examples.facts.guesses, *task_guess, *parts.guesses, *getattr(preparer, "guesses", ()), *chosen)
    resolved = resolved.model_copy(update={"task": kind.name, "data": _as_opened(resolved.data, examples.facts)})
    return Prepared(resolved, examples, parts, task, preparer, encoded(task, examples), device, guesses)


def _as_opened(spec: DataSpec, facts: Facts) -> DataSpec:
    """The `data` block with what opening chose, so that other data is read alike: the target, and the lengths of windows."""
    if facts.series is None:
        return spec.model_copy(update={"target": facts.target})
    series = spec.series.model_copy(update={"window": facts.series.window, "horizon": facts.series.horizon})
    return spec.model_copy(update={"target": facts.target, "series": series})


def bind(kind: type[Task], examples: Examples, train: np.ndarray, preparer: Preparer, recipe: Recipe) -> Task:
    """The task for this data, as the recipe's `train` block wishes it."""
    settings = recipe.train
    options = {name: getattr(settings, name) for name in OPTIONS if name != "oversample"}
    wishes = Wishes(settings.loss, **options, takes=preparer.gives, tokenizer=preparer.texts(), scales=preparer.scales, seed=settings.seed)
    task = kind.bind(examples.facts, targets_of(examples)[train], wishes)
    task.tokenizer = preparer.texts()
    return task


def encoded(task: Task, examples: Examples) -> np.ndarray:
    """(N, ...) the targets as the loss takes them; zeros where the examples hold them themselves."""
    return np.zeros(len(examples), np.int64) if task.learns is None else task.encode(targets_of(examples))


def targets_of(examples: Examples) -> np.ndarray:
    """(N,) raw targets; zeros where there are none beside the examples."""
    return np.zeros(len(examples), np.int64) if examples.targets is None else examples.targets


def open_source(recipe: Recipe) -> tuple[Examples, Guess]:
    """The opened source, and why it was read as it was."""
    spec = recipe.data
    if recipe.task is not None and spec.target_kind is None:
        spec = spec.model_copy(update={"target_kind": find("tasks.kinds", recipe.task).learns})
    if spec.source is None:
        raise InputError("LL001", "the recipe names no data", where="recipe, data.source", help="data.source=PATH")
    if spec.kind is not None:
        return find("data.sources", spec.kind).open(spec.source, spec), Guess(f"source {spec.kind}", "you said so", "data.kind=NAME")
    found = _recognised(spec, recipe.task)
    examples = found.source.open(spec.source, spec)
    return examples, Guess(f"source {found.name}", found.evidence, "data.kind=NAME (leadline list sources)")


def _recognised(spec: DataSpec, task: str | None) -> Found:
    """The source for this data, of the kind that a named task is for; LL030 where only sources of another kind know it."""
    if task is None:
        return recognise(spec.source, spec)
    kind = find("tasks.kinds", task).data
    try:
        return recognise(spec.source, spec, kind=kind)
    except InputError as error:
        if error.code != "LL004":
            raise
        other = recognise(spec.source, spec)
    text = f"task '{task}' is for {kind}, and {spec.source} is something else: {other.evidence}"
    raise InputError("LL030", text, where="task", help="leave task out")


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


def data_spec(recipe: Recipe) -> DataSpec:
    """The `data` block; a pretrained network brings its tokenizer, where none is named."""
    spec, name = recipe.data, recipe.model.name
    if spec.text.tokenizer == "auto" and name.startswith("transformers/"):
        return spec.model_copy(update={"text": spec.text.model_copy(update={"tokenizer": name.removeprefix("transformers/")})})
    return spec


def strata(examples: Examples) -> np.ndarray | None:
    """(N,) what the split keeps in proportion: class labels, or the target's decile."""
    if examples.targets is None or examples.facts.target_kind not in ("classes", "numbers"):
        return None
    if examples.facts.target_kind == "classes":
        return examples.targets.astype(str)
    edges = np.quantile(examples.targets, np.linspace(0, 1, QUANTILES + 1)[1:-1])
    return np.searchsorted(np.unique(edges), examples.targets)


def model_options(recipe: Recipe) -> dict[str, Any]:
    """The network's own settings: the keys of the `model` block beyond the common ones."""
    return dict(recipe.model.model_extra or {})


def _need_target(examples: Examples, kind: type[Task]) -> None:
    wanted = kind.data
    if examples.facts.kind != wanted:
        raise InputError(
            "LL030",
            f"task '{kind.name}' is for {wanted}, and {examples.facts.name} holds {examples.facts.kind}",
            where="task",
            help="leave task out",
        )
    if examples.targets is None and kind.learns is not None:
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
    given = recipes.given(recipe)
    for name in OPTIONS:
        if f"train.{name}" in given and name not in task.heeds and getattr(recipe.train, name) != getattr(TrainSpec(), name):
            text = f"train.{name} = {getattr(recipe.train, name)!r}: task '{task.name}' has no use for it"
            raise InputError("LL030", text, where="train", help=f"leave train.{name} out")
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
