"""What reaches the loss: the operation that made its input, what it is compared with, and how the total hangs on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.flow import Flow, Node, compared, end_of, flow_of
from leadline.doctor.signals.pair import REGRESSION_LOSSES

KEEP = True  # the code of the step does not change
DIFFERENCES = ("sub", "rsub", "__sub__", "__rsub__", "sub_", "subtract")
ACTIVATIONS = {
    "softmax": "softmax", "log_softmax": "log_softmax", "sigmoid": "sigmoid", "sigmoid_": "sigmoid", "tanh": "tanh", "tanh_": "tanh",
    "relu": "relu", "relu_": "relu", "relu6": "relu6", "softplus": "softplus", "hardtanh": "hardtanh", "hardsigmoid": "hardsigmoid",
    "logsigmoid": "logsigmoid", "exp": "exp", "abs": "abs", "square": "square", "round": "round", "floor": "floor", "ceil": "ceil",
    "sign": "sign", "trunc": "trunc", "clamp": "clamp",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Where the network's answer meets the target: a call of a loss function, or a subtraction ("sub").

    end: the operation that gave the answer its numbers ("" where it is no activation); end_axis, end_size: of a softmax. slope: how the
    total loss hangs on this value, where that is one number (negative: the total falls when it rises). pushes: share of the answer's
    numbers that the total pushes towards the target, where shapes are equal. inside: within the network's forward.
    """

    name: str
    output: tuple[int, ...]
    target: tuple[int, ...]
    result: tuple[int, ...]
    end: str
    end_axis: int | None
    end_size: int | None
    end_shape: tuple[int, ...]
    slope: float | None
    reduction: str
    inside: bool
    pushes: float | None
    sample: Tensor = field(repr=False)  # the answer, as compared, on the host
    wanted: Tensor = field(repr=False)  # the target


@dataclass(frozen=True)
class LossPath:
    """comparisons in order; ends: activations that the network's outputs end in; several: whether several backward passes or none."""

    comparisons: tuple[Comparison, ...]
    ends: tuple[str, ...]
    backwards: int
    foreign: bool
    step: int

    def calls(self, *names: str) -> list[Comparison]:
        """Comparisons by these functions (all where none is named)."""
        return [each for each in self.comparisons if not names or each.name in names]


def measure(scene: Scene) -> LossPath:
    """Raises NotExamined or NotReplayable."""
    moment = scene.first
    flow = flow_of(scene.lab.at_start(), moment)
    found = [_of_loss(flow, node) for node in flow.losses]
    found += [_of_difference(flow, node) for node in flow.nodes if node.name in DIFFERENCES]
    kept = tuple(each for each in found if each is not None)
    if not flow.ends:
        raise NotExamined("no backward pass was heard")
    ends = tuple(_name(end_of(flow, node.value)) for node in flow.outputs)
    foreign = bool(moment.script.foreign) or len(scene.optimizers) > 1 or any(k["ours"] < k["all"] for k in scene.heard.strangers.values())
    return LossPath(kept, ends, len(flow.ends), foreign, moment.step)


def _of_loss(flow: Flow, node: Node) -> Comparison | None:
    given = compared(node)
    answer, target = given.get("input"), given.get("target")
    if not isinstance(answer, Tensor) or not isinstance(target, Tensor) or not node.learns:
        return None
    if node.name in REGRESSION_LOSSES and not answer.requires_grad and target.requires_grad:
        answer, target = target, answer  # some write the target first
    return _comparison(flow, node, answer, target=target, reduction=str(given.get("reduction", "mean")))


def _of_difference(flow: Flow, node: Node) -> Comparison | None:
    """A subtraction outside the network between an answer that learns and data that does not."""
    tensors = [arg for arg in node.args[:2] if isinstance(arg, Tensor)]
    if node.inside or len(tensors) != 2 or tensors[0].requires_grad == tensors[1].requires_grad:
        return None
    answer, target = sorted(tensors, key=lambda tensor: not tensor.requires_grad)
    return _comparison(flow, node, answer, target=target, reduction="")


def _comparison(flow: Flow, node: Node, answer: Tensor, *, target: Tensor, reduction: str) -> Comparison:
    end = end_of(flow, answer)
    name = _name(end)
    axis = _axis(end) if end is not None and "softmax" in name else None
    size = end.value.shape[axis] if end is not None and axis is not None and end.value.ndim else None
    slope = flow.slope(node.value) if node.value.numel() == 1 else None
    return Comparison(
        "sub" if node.name in DIFFERENCES else node.name,
        tuple(answer.shape), tuple(target.shape), tuple(node.value.shape),
        name, axis, size, tuple(end.value.shape) if end is not None else (),
        None if slope is None else float(slope), reduction, node.inside, _pushes(flow, answer, target),
        answer.detach().cpu(), target.detach().cpu(),
    )  # fmt: skip


def _pushes(flow: Flow, answer: Tensor, target: Tensor) -> float | None:
    """A sound loss's slope has the sign of answer minus target, number by number."""
    if answer.shape != target.shape or not target.is_floating_point():
        return None
    slope = flow.slope(answer)
    if slope is None:
        return None
    gap = (answer.detach() - target.detach()).double()
    counts = (slope != 0) & (gap != 0)
    return float((slope.sign() == gap.sign())[counts].double().mean()) if int(counts.sum()) >= 8 else None


def _name(node: Node | None) -> str:
    return "" if node is None else ACTIVATIONS.get(node.name, "")


def _axis(node: Node) -> int | None:
    axis: Any = node.given(1, "dim")
    if not isinstance(axis, int):
        return None
    return axis % max(node.value.ndim, 1)


def sums_to_one(values: Tensor, axis: int) -> bool:
    """Whether all numbers lie in [0, 1] and sum to 1 along `axis`."""
    if not values.is_floating_point() or values.ndim <= axis or values.shape[axis] < 2:
        return False
    numbers = values.double()
    inside = bool((numbers >= 0).all()) and bool((numbers <= 1 + 1e-3).all())
    return inside and bool(torch.isclose(numbers.sum(axis), torch.ones((), dtype=torch.float64), atol=1e-2).all())  # half precision too
