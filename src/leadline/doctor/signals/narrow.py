"""A layer so narrow that the task does not fit through it: one batch by heart as it is, and with the place widened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from leadline.doctor.anatomy import Anatomy
from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.signals.learning import Learning
from leadline.doctor.surgery import parent_of
from leadline.doctor.twin import Twin

RIPE = 60
NARROW = 2  # units: more leave room for most small tasks
WIDE = 32  # what is put beside it
STEPS = 60


@dataclass(frozen=True)
class Narrow:
    """path: of the narrow layer. width: of it. known: whether one batch can be learnt by heart. trial: with a wide way beside it."""

    path: str
    width: int
    known: bool
    in_words: str
    trial: Trial
    now: float
    trivial: float | None
    reconstructs: bool


def measure(scene: Scene) -> Narrow | None:
    """None without a narrow place, or where the training loss is low. Raises NotReplayable."""
    learning: Learning = Evidence(scene)["learning"]
    level = learning.trivial if learning.trivial is not None else abs(learning.first)
    if learning.steps < RIPE or learning.verdict == "adversarial" or learning.last < 0.3 * level or len(scene.moments) < 4:
        return None
    anatomy: Anatomy = Evidence(scene)["layers_start"]
    place = _narrowest(anatomy)
    if place is None:
        return None
    first, second, width = place
    one = Evidence(scene)["one_batch"]
    train, judge = scene.moments[::2], scene.moments[1::2]
    wide = scene.lab.at_start()
    _widen(wide, first, second, anatomy)
    trial = Trial(f"{WIDE} units beside {first}", _curve(scene, scene.lab.at_start(), train, judge), _curve(scene, wide, train, judge))
    now = scene.lab.mean_loss(scene.lab.now(), judge)
    return Narrow(first, width, one.answer == "yes", one.in_words, trial, now, learning.trivial, _reconstructs(scene))


def _curve(scene: Scene, twin: Twin, train: list[Any], judge: list[Any]) -> Curve:
    before = scene.lab.mean_loss(twin, judge)
    run = scene.lab.curve(twin, train, steps=STEPS, seconds=2.0)
    return Curve(before, scene.lab.mean_loss(twin, judge), run.losses, run.steps)


def _narrowest(anatomy: Anatomy) -> tuple[str, str, int] | None:
    """(layer, the next one, width) where two linear layers meet in a space far narrower than what goes in and comes out."""
    layers = [layer for layer in anatomy.layers if isinstance(layer.module, nn.Linear)]
    found: list[tuple[int, str, str]] = []
    for one, two in zip(layers, layers[1:]):  # noqa: B905 RUF007 - neighbours
        first: Any = one.module
        second: Any = two.module
        fits = first.out_features == second.in_features and first.weight.requires_grad
        if (
            fits
            and first.out_features <= NARROW
            and first.in_features >= 4 * first.out_features
            and second.out_features > first.out_features
        ):
            found.append((first.out_features, one.path, two.path))
    return (min(found)[1], min(found)[2], min(found)[0]) if found else None


class Beside(nn.Module):
    """The second layer, with a wide way from the first one's input beside the narrow one."""

    def __init__(self, second: nn.Module, inputs: int, outputs: int) -> None:
        super().__init__()
        self.second = second
        self.wide = nn.Sequential(nn.Linear(inputs, WIDE), nn.ReLU(), nn.Linear(WIDE, outputs))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Both ways."""
        return self.second(x) + self.wide(self.seen.pop())


class Seen(nn.Module):
    """The first layer, which remembers what it got for the way beside it."""

    def __init__(self, first: nn.Module, seen: list[Tensor]) -> None:
        super().__init__()
        self.first, self.seen = first, seen

    def forward(self, x: Tensor) -> Tensor:
        """The first layer's answer."""
        self.seen.append(x)
        return self.first(x)


def _widen(twin: Twin, first: str, second: str, anatomy: Anatomy) -> None:
    one: Any = twin.module_at(first)
    two: Any = twin.module_at(second)
    if sum(layer.path in (first, second) for layer in anatomy.layers) != 2:
        raise NotExamined("the narrow layer is used more than once")
    beside = Beside(two, one.in_features, two.out_features)
    for path, part in ((first, Seen(one, beside.seen)), (second, beside)):
        above, name = parent_of(twin.model, path)
        setattr(above, name, part)
    twin.optimizers[-1].add_param_group({"params": list(beside.wide.parameters())})


def _reconstructs(scene: Scene) -> bool:
    """Whether the target is the input: then a narrow code is the point."""
    call = scene.last.loss
    target = call.target if call is not None else None
    return target is not None and any(
        each.numel() == target.numel() and each.is_floating_point() and torch.equal(each.flatten(), target.flatten().to(each.dtype))
        for each in scene.last.inputs
    )
