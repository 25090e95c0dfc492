"""What "auto" becomes: chosen from data and model before training, said with its reason, never in place of a value the user gave."""

from __future__ import annotations

from typing import Any

from leadline.data.settings import AugmentSpec
from leadline.models import build
from leadline.recipe import Recipe
from leadline.record.facts import Guess
from leadline.record.ports import Images, Port
from leadline.tasks.task import Task
from leadline.training.settings import EarlyStopSpec

SMALL_IMAGE = 40  # pixels a side: up to here a network for 28- and 32-pixel pictures sees the whole object
MASKED_TIME, MASKED_BANDS = 0.15, 0.1  # with shifts they took two seeds on 612 spoken digits from 98.0 and 93.7 % to 98.7 % each

GENERAL: dict[str, Any] = {
    "train.epochs": 20,
    "train.batch_size": 128,
    "train.optimizer.name": "adamw",
    "train.optimizer.lr": 1e-3,
    "train.optimizer.weight_decay": 0.01,
    "train.schedule.name": "one_cycle",
    "train.schedule.warmup": 0.05,
    "train.early_stop": None,
}


def resolve(recipe: Recipe, task: Task, takes: Port, *, num_train: int) -> tuple[Recipe, tuple[Guess, ...]]:
    """The recipe with every "auto" of model and training chosen (precision is measured later), and what was chosen with the reasons."""
    name, guesses = _model(recipe, task, takes)
    part, _ = build.resolve(name)
    wishes = {**GENERAL, **part.suggest_with(dict(recipe.model.model_extra or {}), takes=takes, num_examples=num_train)}
    wishes["train.batch_size"] = min(wishes["train.batch_size"], num_train)
    values = recipe.model_dump(exclude={"data": {"source"}})  # objects in memory are not to be copied
    values["model"]["name"] = name
    reason = f"{name} on {num_train:,} training examples"
    chosen = {key: value for key, value in wishes.items() if _at(values, key) == "auto"}
    for key, value in chosen.items():
        _put(values, key, value.model_dump() if isinstance(value, EarlyStopSpec) else value)
    if values["train"]["augment"] == "auto":
        values["train"]["augment"], why = _augment(task, takes)
        guesses.append(Guess(f"augmentation {_words(values['train']['augment'])}", why, "train.augment=none, or {flip: true, crop: 4}"))
    if chosen:
        listed = ", ".join(
            f"{key.rsplit('.', 1)[1] if 'name' not in key else key.split('.')[1]} {_say(value)}" for key, value in chosen.items()
        )
        guesses.append(Guess(f"training: {listed}", f"what suits {reason}", "epochs= batch_size= lr= train.KEY="))
    guesses.append(Guess(f"loss {task.loss_name}", _loss_reason(task), "train.loss=NAME"))
    return _rebuild(recipe, values), tuple(guesses)


def _model(recipe: Recipe, task: Task, takes: Port) -> tuple[str, list[Guess]]:
    if recipe.model.name != "auto":
        return recipe.model.name, []
    if task.model is not None:
        return task.model, [Guess(f"model {task.model}", f"what suits task {task.name}", "model=NAME (leadline list models)")]
    if not isinstance(takes, Images):
        return "tabm", [
            Guess("model tabm", "a table; a cheap ensemble over piecewise-linear features is the strongest network here", "model=mlp")
        ]
    side = max(takes.height, takes.width)
    if side <= SMALL_IMAGE and takes.channels == 1:
        return "cnn", [Guess("model cnn", f"grey pictures of {side} pixels", "model=resnet_small")]
    return "resnet_small", [
        Guess("model resnet_small", f"{takes.channels}-channel pictures of {side} pixels, from scratch", "model=timm/resnet18")
    ]


def _augment(task: Task, takes: Port) -> tuple[Any, str]:
    if not isinstance(takes, Images):
        return "none", f"there is no change of {task.data} that surely keeps its meaning"
    side = min(takes.height, takes.width)
    crop = max(1, side // 8)
    if task.data == "audio":
        masks = AugmentSpec(crop=crop, time_mask=MASKED_TIME, freq_mask=MASKED_BANDS)
        return masks.model_dump(), "sounds: small shifts in time and pitch, and times and bands hidden (SpecAugment)"
    if takes.channels == 1:
        return AugmentSpec(
            crop=max(1, side // 14)
        ).model_dump(), "grey pictures: small shifts; a mirrored letter or digit would be another one"
    return AugmentSpec(
        flip=True, crop=crop
    ).model_dump(), "colour pictures: mirrored and shifted, both keep their meaning for natural photos"


def _loss_reason(task: Task) -> str:
    reasons = {"cross_entropy": "labels that exclude each other", "ctc": "a text for each sound, and nobody marked what is said when"}
    return reasons.get(task.loss_name, "what is told are numbers, standardised for training")


def _rebuild(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The validated recipe of these values; objects in memory and the options of the network are carried over as they are."""
    values["data"]["source"] = None
    resolved = Recipe.model_validate({"schema": 1, **{key: value for key, value in values.items() if key != "schema_"}})
    return resolved.model_copy(update={"data": resolved.data.model_copy(update={"source": recipe.data.source})})


def _at(values: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values[part]
    values[last] = value


def _say(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "off" if value is None else str(value)


def _words(augment: Any) -> str:
    if augment == "none":
        return "none"
    default = AugmentSpec().model_dump()
    return ", ".join(f"{key} {value}" for key, value in augment.items() if value != default[key]) or "none"
