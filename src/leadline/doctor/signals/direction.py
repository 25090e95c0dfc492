"""Which way the optimizer goes: towards lower losses and right answers, or away from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.flow import flow_of
from leadline.doctor.signals.loss_path import LossPath
from leadline.doctor.tape import Given, Script, marks_of

KEEP = True  # the code of the step does not change
ROWS = 8  # fewer say nothing about a direction
NEARLY_ALL = 0.95  # of the numbers: a bounded activation or a penalty may turn a few


@dataclass(frozen=True)
class Direction:
    """asked: loss calls (or rows of a loss by hand) whose direction could be read; wrong: those that training makes worse."""

    asked: int
    wrong: int
    maximize: bool
    by: str
    step: int

    @property
    def is_wrong(self) -> bool:
        """Whether nearly all of it goes the wrong way."""
        return self.asked > 0 and self.wrong >= NEARLY_ALL * self.asked

    @property
    def in_words(self) -> str:
        """What was read, in a clause."""
        how = "maximize=True in the optimizer; " if self.maximize else ""
        if self.by:
            return f"{how}the update makes {self.by} larger"
        return f"{how}the loss pushes {self.wrong} of {self.asked} answers away from their targets"


def measure(scene: Scene) -> Direction:
    """Raises NotExamined where an adversary takes part, or where no direction can be read."""
    path: LossPath = Evidence(scene)["loss_path"]
    if path.foreign:
        raise NotExamined("another network takes part in the step, and may want the opposite")
    mine = {id(p) for p in scene.model.parameters()}
    groups = [group for optimizer in scene.optimizers for group in optimizer.param_groups]
    if any(id(p) not in mine for group in groups for p in group["params"]):
        raise NotExamined("the optimizer trains more than the network")
    maximize = all(bool(group.get("maximize", False)) for group in groups)
    sign = -1.0 if maximize else 1.0
    slopes = [sign * call.slope for call in path.comparisons if call.name != "sub" and call.slope]
    if slopes:
        names = " and ".join(dict.fromkeys(call.name for call in path.comparisons if call.name != "sub" and call.slope))
        return Direction(len(slopes), sum(slope < 0 for slope in slopes), maximize, names, path.step)
    return _by_hand(scene, path, sign=sign, maximize=maximize)


def _by_hand(scene: Scene, path: LossPath, *, sign: float, maximize: bool) -> Direction:
    """A loss without a loss call: towards or away from numbers it subtracts, or from the labels."""
    if sign * max(value for moment in scene.moments for value in moment.values) >= 0 and not maximize:
        raise NotExamined("the loss is written by hand, and it is not negative")
    pushes = [call.pushes if sign > 0 else 1 - call.pushes for call in path.comparisons if call.pushes is not None]
    if pushes:
        numbers = max(call.sample.numel() for call in path.comparisons if call.pushes is not None)
        return Direction(numbers, round(numbers * (1 - max(pushes))), maximize, "", path.step)
    asked, wrong = _at_labels(scene, sign)
    return Direction(asked, wrong, maximize, "", path.step)


def _at_labels(scene: Scene, sign: float) -> tuple[int, int]:
    """Rows of class outputs, and how many are pushed away from their label; labels are the step's only loose data."""
    moment = scene.first
    flow = flow_of(scene.lab.at_start(), moment)
    data = _loose_data(moment.script)
    for node in flow.outputs:
        output = node.value
        labels = [each for each in data if _are_labels(each, output)]
        if output.ndim != 2 or not labels or len(data) > 1:
            continue
        slope = flow.slope(output)
        if slope is None or len(slope) < ROWS:
            continue
        label = labels[0].long().reshape(-1, 1)
        away = sign * slope.gather(1, label).squeeze(1) > 0
        return len(away), int(away.sum())
    raise NotExamined("the loss is written by hand, and labels cannot be told from its arithmetic")


def _loose_data(script: Script) -> list[Tensor]:
    """Tensors from outside that the step used other than by giving them to the network: labels, and rewards or masks if any."""
    inputs = {id(given.tensor) for entry in script.calls for given in marks_of(entry, Given)}
    found = {id(g.tensor): g.tensor for e in script.entries if e.kind == "op" for g in marks_of(e, Given) if g.role == "data"}
    return [tensor for key, tensor in found.items() if key not in inputs and tensor.ndim]


def _are_labels(data: Tensor, output: Tensor) -> bool:
    whole = not data.is_floating_point() and data.dtype != torch.bool and data.numel() == len(output)
    return output.ndim == 2 and whole and int(data.min()) >= 0 and int(data.max()) < output.shape[1]
