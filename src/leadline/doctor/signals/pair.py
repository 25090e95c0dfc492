"""What the loss compares: the network's outputs and the targets of the latest recorded step, and what kind of task that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Given, Made, Script
from leadline.doctor.tape import marks_of as marks

CLASS_LOSSES = ("cross_entropy", "nll_loss", "multi_margin_loss")
BINARY_LOSSES = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss", "multilabel_soft_margin_loss")
REGRESSION_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss")


@dataclass(frozen=True)
class Pair:
    """outputs, targets: as the loss got them, detached, on the host. loss: its torch name, or "" for arithmetic written by hand.

    kind: "classes" (targets are class numbers), "binary", "regression", "unknown". options: of the loss call.
    """

    loss: str
    outputs: Tensor
    targets: Tensor
    kind: Literal["classes", "binary", "regression", "unknown"]
    options: dict[str, Any]
    step: int

    @property
    def reduction(self) -> str:
        """mean, sum or none."""
        return str(self.options.get("reduction", "mean"))


def measure(scene: Scene) -> Pair:
    """Raises NotExamined where no loss call was heard and none can be read from the recorded arithmetic."""
    return pair_of(scene.last)


def pair_of(moment: Moment) -> Pair:
    """The pair of one recorded step."""
    call = moment.loss
    if call is not None and call.input is not None and call.target is not None:
        return Pair(call.name, call.input.cpu(), call.target.cpu(), _kind(call.name, call.target), call.options, moment.step)
    outputs = [each for each in moment.outputs if each.is_floating_point() and each.ndim]
    targets = [each for each in loose_data(moment.script) if outputs and each.ndim and each.shape[0] == outputs[0].shape[0]]
    if not outputs or not targets:
        raise NotExamined("no loss function was heard, and outputs and targets cannot be told from the arithmetic")
    kind = "unknown" if targets[0].is_floating_point() else "classes"
    return Pair("", outputs[0].cpu(), targets[0].detach().cpu(), kind, {}, moment.step)


def loose_data(script: Script) -> list[Tensor]:
    """Tensors from outside that the step's own arithmetic used, other than by giving them to the network."""
    found: dict[int, Tensor] = {}
    for entry in script.entries:
        if entry.kind == "op" and any(isinstance(mark, Made) for mark in marks(entry, Made)):
            found.update({id(g.tensor): g.tensor for g in marks(entry, Given) if g.role == "data"})
    return list(found.values())


def _kind(name: str, target: Tensor) -> Literal["classes", "binary", "regression", "unknown"]:
    if name in CLASS_LOSSES:
        return "classes" if not target.is_floating_point() else "unknown"
    if name in BINARY_LOSSES:
        return "binary"
    return "regression" if name in REGRESSION_LOSSES else "unknown"


def label_entropy(labels: Tensor, ignore: int = -100) -> float:
    """Entropy of a label histogram in nats: the loss of always answering with the frequencies."""
    counts = torch.unique(labels[labels != ignore], return_counts=True)[1].double()
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum())
