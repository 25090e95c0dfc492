"""A finding's control as recipe keys: what the doctor would have anyone do, in the words that a run of ours obeys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from leadline import recipe as recipes
from leadline.base.errors import InputError
from leadline.recipe import Recipe
from leadline.record.finding import Finding

LR = "train.optimizer.lr"
STEP = 10.0  # a learning rate moves by powers of ten until somebody knows more

Keys = dict[str, Any]


def in_recipe(finding: Finding, recipe: Recipe, *, lr_then: float | None = None) -> Finding:
    """The finding with its control as keys of a recipe that `recipe` can take; without keys where no setting of ours is the remedy.

    lr_then: the rate at the finding's step. A rule speaks of the optimizer's rate as it stood; a recipe names the schedule's peak.
    """
    wanted = dict(finding.control.set)
    if LR in wanted and isinstance(wanted[LR], int | float) and lr_then:
        wanted[LR] = _rounded(_peak(recipe) * float(wanted[LR]) / lr_then)
    if not wanted and finding.code in OWN:
        wanted = OWN[finding.code](recipe)
    return replace(
        finding, control=replace(finding.control, set={key: value for key, value in wanted.items() if _is_taken(recipe, key, value)})
    )


def value_at(recipe: Recipe, key: str) -> Any:
    """What the recipe says under a dotted key; None where nothing is said."""
    node: Any = recipe.model_dump(mode="json", exclude={"data": {"source"}})
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _is_taken(recipe: Recipe, key: str, value: Any) -> bool:
    """Whether a recipe may have it, and has it not already."""
    try:
        changed = recipes.change(recipe, {key: value})
    except InputError:
        return False
    return value_at(changed, key) != value_at(recipe, key)


def _peak(recipe: Recipe) -> float:
    return float(recipe.train.optimizer.lr)


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")


def after_nonfinite(recipe: Recipe, where: str) -> Keys:
    """What to do where a bad step came from the data (leave such batches out), or from the network (lower the rate)."""
    return {"train.on_nonfinite": "skip"} if " of the batch is not finite" in where else _lower(recipe)


def _lower(recipe: Recipe) -> Keys:
    return {LR: _rounded(_peak(recipe) / STEP)}


def _clipped(recipe: Recipe) -> Keys:
    """Clip where nothing does; where clipping was not enough, lower the rate."""
    return {"train.clip_norm": 1.0} if recipe.train.clip_norm is None else _lower(recipe)


OWN: dict[str, Callable[[Recipe], Keys]] = {
    "D05": lambda _: {"train.class_weights": "balanced"},
    "D06": lambda _: {"data.split.given": False},
    "E02": lambda _: {"train.early_stop": {"patience": 5}},
    "M02": _clipped,
    "M13": lambda _: {"train.batch_size": 32},
    "N02": lambda _: {"train.precision": "fp32"},
    "N03": lambda _: {"train.precision": "fp32"},
    "N04": lambda _: {"train.precision": "fp32"},
    "N05": lambda _: {"train.precision": "fp32"},
    "O01": _lower,
    "O02": lambda recipe: {LR: _rounded(_peak(recipe) * STEP)},
    "O04": lambda _: {"train.optimizer.weight_decay": 0.01},
    "O05": lambda _: {"train.schedule.name": "cosine", "train.schedule.warmup": 0.05},
    "O06": lambda _: {"train.optimizer.betas": [0.9, 0.999], "train.optimizer.eps": 1e-8, "train.optimizer.momentum": 0.9},
    "O07": lambda _: {"train.clip_norm": 1.0},
}
"""The settings of ours that are the remedy of a fault, for rules that cannot know them."""
