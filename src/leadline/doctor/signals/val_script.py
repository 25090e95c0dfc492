"""What the validation code does with the network's inputs and outputs, read from its recorded operations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import LossCall
from leadline.doctor.signals.loss_path import sums_to_one
from leadline.doctor.tape import Entry, Given, Made, Script, marks_of

COMPARING = ("eq", "__eq__", "ne", "__ne__")
SUBTRACTING = ("sub", "__sub__", "__rsub__", "rsub")
CHOOSING = ("argmax", "max", "argmin", "topk", "softmax", "log_softmax")
SCALING = ("div", "__truediv__", "true_divide", "mul", "__mul__", "__rmul__", "sub", "__sub__", "add", "__add__", "div_", "mul_", "sub_")
LOGIT_LOSSES = ("cross_entropy", "binary_cross_entropy_with_logits")
LOG_LOSSES = ("nll_loss", "kl_div")
ANOTHER_SCALE = 3.0  # of the inputs' spread: less is another sample of the data
NUMBERS = 64  # that must all lie in [0, 1] before anything is said of probabilities


@dataclass(frozen=True)
class Metric:
    """A metric over the wrong numbers. what: "axis" (a choice over the rows of the batch) or "broadcast" (rows compared with all rows)."""

    what: Literal["axis", "broadcast"]
    operation: str
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ValScript:
    """metric: what is wrong with one; None where nothing is. loss_differs: how validation's loss call breaks a contract that training's

    keeps, in words. input_scale: spread of the network's inputs in validation against training, where only validation's code scales them.
    """

    metric: Metric | None
    loss_differs: str | None
    input_scale: float | None
    step: int


def measure(scene: Scene) -> ValScript:
    """Raises NotExamined where no validation pass was heard."""
    passes = [each for each in scene.heard.evals if (each.script is not None or each.calls) and each.rows + bool(each.script)]
    if not passes:
        raise NotExamined("no validation pass was heard")
    key = (len(passes), sum(each.script is not None for each in passes))
    known = scene.kept.get("val_script")
    if known is not None and known[0] == key:
        return known[1]
    scripts = [each.script for each in passes if each.script is not None]
    metric = next((found for script in scripts if (found := _metric(script)) is not None), None)
    scale = next((ratio for script in scripts if (ratio := _input_scale(scene, script)) is not None), None)
    calls = [call for each in passes for call in each.calls]
    result = ValScript(metric, _loss_differs(scene, calls), scale, passes[0].after_step)
    scene.kept["val_script"] = (key, result)
    return result


def _metric(script: Script) -> Metric | None:
    """A choice over the batch axis that is then compared, or a comparison of everyone with everyone."""
    entries = script.entries
    hangs = _hangs(script)
    for number, entry in enumerate(entries):
        if entry.kind != "op" or number not in hangs:
            continue
        tensors = [arg for arg in entry.args[:2] if isinstance(arg, (Made, Given))]
        shapes = [shape for arg in tensors if (shape := _shape(script, arg)) is not None]
        if entry.name in (*COMPARING, *SUBTRACTING) and len(shapes) == 2 and _answers(tensors, hangs) == 1 and _is_stretched(entry, shapes):
            return Metric("broadcast", entry.name, tuple(shapes))
        if entry.name in CHOOSING and shapes and _is_over_rows(entries, entry, shapes[0]) and _is_compared(entries, number):
            return Metric("axis", entry.name, (shapes[0],))
    return None


def _hangs(script: Script) -> set[int]:
    """Entries that come from a call of the network without gradient."""
    found: set[int] = set()
    for number, entry in enumerate(script.entries):
        quiet_call = entry.kind == "call" and not entry.grad
        if quiet_call or (entry.kind == "op" and any(made.entry in found for made in marks_of(entry, Made))):
            found.add(number)
    return found


def _answers(tensors: list[Any], hangs: set[int]) -> int:
    return sum(isinstance(arg, Made) and arg.entry in hangs for arg in tensors)


def _shape(script: Script, arg: Made | Given) -> tuple[int, ...] | None:
    if isinstance(arg, Given):
        return tuple(arg.tensor.shape)
    entry = script.entries[arg.entry]
    return entry.shapes[arg.position] if len(entry.shapes) == entry.num_results else None


def _is_stretched(entry: Entry, shapes: list[tuple[int, ...]]) -> bool:
    first, second = shapes
    return len(first) != len(second) and math.prod(first) == math.prod(second) > 1 and math.prod(entry.shapes[0]) > math.prod(first)


def _is_over_rows(entries: tuple[Entry, ...], entry: Entry, shape: tuple[int, ...]) -> bool:
    """Whether axis 0 of an answer (N, K) was reduced, N being the rows that the network was given."""
    axis = entry.args[1] if len(entry.args) > 1 else entry.kwargs.get("dim")
    if entry.name == "topk":
        axis = entry.args[2] if len(entry.args) > 2 else entry.kwargs.get("dim", -1)
    if not isinstance(axis, int) or isinstance(axis, bool) or len(shape) != 2 or axis % 2 != 0 or shape[0] == shape[1]:
        return False
    rows = {tuple(given.tensor.shape)[:1] for call in entries if call.kind == "call" for given in marks_of(call, Given)}
    rows |= {shape[:1] for call in entries if call.kind == "call" for shape in call.shapes if len(shape) == 2}
    return shape[:1] in rows and shape[1] > 1


def _is_compared(entries: tuple[Entry, ...], number: int) -> bool:
    """Whether what entry `number` made is compared with something (for a softmax: chosen from and compared)."""
    reached = {number}
    for place in range(number + 1, len(entries)):
        entry = entries[place]
        if entry.kind == "op" and any(made.entry in reached for made in marks_of(entry, Made)):
            if entry.name in COMPARING:
                return True
            reached.add(place)
    return False


def _loss_differs(scene: Scene, calls: list[LossCall]) -> str | None:
    """A contract that validation's calls break and training's keep."""
    training = [call for moment in scene.moments for call in moment.losses if call.input is not None]
    for names, breaks, what in (
        (LOGIT_LOSSES, _is_probability, "probabilities go into {0}, which wants logits"),
        (LOG_LOSSES, _is_no_log, "{0} gets numbers above 0, and wants logarithms of probabilities"),
    ):
        asked = [call for call in calls if call.name in names and call.input is not None and call.input.numel()]
        kept = [call for call in training if call.name in LOGIT_LOSSES + LOG_LOSSES]
        enough = sum(call.input.numel() for call in asked if call.input is not None) >= NUMBERS
        sound = kept and not any(breaks(call) for call in kept if call.name in names)
        if sound and asked and enough and all(breaks(call) for call in asked):
            return what.format(asked[0].name)
    return None


def _is_probability(call: LossCall) -> bool:
    values = call.input
    assert values is not None
    if call.name == "cross_entropy":
        return sums_to_one(values, 1 if values.ndim > 1 else 0)
    return bool(((values >= 0) & (values <= 1)).all())


def _is_no_log(call: LossCall) -> bool:
    assert call.input is not None
    return float(call.input.max()) > 1e-3


def _input_scale(scene: Scene, script: Script) -> float | None:
    """How much wider the network's first input is than in training, where validation's code scales its data and training's does not."""
    call = next((entry for entry in script.entries if entry.kind == "call" and not entry.grad), None)
    trained = next(iter(scene.first.script.calls), None)
    if call is None or trained is None:
        return None
    made = marks_of(call, Made)[:1]
    extra = _chain(script, made) - _chain(scene.first.script, marks_of(trained, Made)[:1])
    inputs = [each for each in scene.first.inputs if each.is_floating_point() and each.numel() > 1]
    if not made or not extra & set(SCALING) or not inputs:
        return None
    value = _value(script, made[0])
    if not value.is_floating_point() or value.shape[1:] != inputs[0].shape[1:]:
        return None
    ratio = float(value.double().std() / inputs[0].double().std().clamp_min(1e-30))
    return ratio if math.isfinite(ratio) and (ratio > ANOTHER_SCALE or ratio < 1 / ANOTHER_SCALE) else None


def _chain(script: Script, begin: list[Made]) -> set[str]:
    """Names of the operations that a tensor came through since it was data."""
    waiting, names = [made.entry for made in begin], set[str]()
    seen: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in seen and script.entries[number].kind == "op":
            seen.add(number)
            names.add(script.entries[number].name)
            waiting += [made.entry for made in marks_of(script.entries[number], Made)]
    return names


def _value(script: Script, made: Made) -> Tensor:
    """Done again: a tensor that came from data by operations outside the network."""
    entry = script.entries[made.entry]
    if entry.kind != "op" or entry.func is None or entry.name.endswith("_"):
        raise NotExamined("the network's input cannot be computed again")

    def real(leaf: Any) -> Any:
        if isinstance(leaf, Made):
            return _value(script, leaf)
        return leaf.tensor if isinstance(leaf, Given) else leaf

    args, kwargs = pytree.tree_map(real, (entry.args, entry.kwargs), is_leaf=lambda leaf: isinstance(leaf, (Made, Given)))
    with torch.no_grad():
        leaves = pytree.tree_leaves(entry.func(*args, **kwargs))
    return leaves[made.position]
