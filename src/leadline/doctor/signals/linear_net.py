"""Whether the network is one matrix in disguise: weight layers one after another with nothing between them that bends."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from leadline.doctor.anatomy import Anatomy
from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Trial
from leadline.doctor.signals.start_pass import Asked, StartPass
from leadline.doctor.surgery import parent_of
from leadline.doctor.tape import flatten
from leadline.doctor.twin import Twin

KEEP = True
CLOSE = 1e-4  # of the answer's size: float32 sums of a few layers agree to 1e-6
STEPS = 60  # of the replay with activations put in


@dataclass(frozen=True)
class LinearNet:
    """is_linear: no operation between its matrices bends (norms may stand there). checked: f(a + b) - f(a) - f(b) + f(0) against f's size.

    pair: two layers in a row whose middle is no bottleneck, so that the second adds nothing. trial: with ReLU after each hidden layer.
    """

    is_linear: bool
    norms: bool
    checked: float | None
    pair: tuple[str, str] | None
    trial: Trial | None


def measure(scene: Scene) -> LinearNet:
    """Raises NotExamined where the network's operations cannot be seen."""
    found: StartPass = Evidence(scene)["start_pass"]
    silent = LinearNet(False, found.norms, None, None, None)
    if found.inside or not found.depth or not found.calls:
        return silent
    layers = list(_matrices(Evidence(scene)["layers_start"]))
    pair = next((two for two in itertools.pairwise(layers) if _adds_nothing(*two)), None)
    if pair is None:
        return silent
    checked = None if found.norms else _curvature(found, found.calls[0])
    if checked is not None and checked > CLOSE:
        return silent
    hidden = [path for path, _ in layers[:-1]]
    try:
        trial = scene.lab.trial(
            "ReLU after each hidden layer", lambda twin: _bend(twin, hidden), scene.moments[:8], from_start=True, steps=STEPS
        )
    except Exception as problem:
        raise NotExamined(f"activations could not be put in: {problem}") from problem
    return LinearNet(True, found.norms, checked, (pair[0][0], pair[1][0]), trial)


def _matrices(anatomy: Anatomy) -> list[tuple[str, nn.Module]]:
    kinds = (nn.Linear, nn.modules.conv._ConvNd)  # pyright: ignore[reportPrivateUsage]
    return [(layer.path, layer.module) for layer in anatomy.layers if isinstance(layer.module, kinds)]


def _adds_nothing(first: tuple[str, Any], second: tuple[str, Any]) -> bool:
    """Whether the space between two layers is at least as wide as one of its ends: a product of the two could do the same."""
    (before, middle), (entry, after) = _widths(first[1]), _widths(second[1])
    return entry == middle and middle >= min(before, after)


def _widths(module: Any) -> tuple[int, int]:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    size = module.weight[0, 0].numel()  # a convolution sees a neighbourhood, so more comes in than channels
    return (module.in_channels * (1 if size == 1 else 4), module.out_channels)


def _curvature(found: StartPass, call: Asked) -> float | None:
    """Size of f(a + b) - f(a) - f(b) + f(0) against f, on the first float input; None where there is none."""
    leaves, spec = flatten((call.args, call.kwargs))
    place = next((n for n, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim), None)
    if place is None:
        return None
    found.twin.model.eval()
    module = found.twin.module_at(call.path)

    def answer(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        args, kwargs = pytree.tree_unflatten([*leaves[:place], x, *leaves[place + 1 :]], spec)
        with torch.no_grad():
            made = module(*args, **kwargs)
        return torch.cat([leaf.double().flatten() for leaf in flatten(made)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point()])

    a = leaves[place].detach()
    b = a.roll(1, 0)
    whole, parts = answer(a + b), (answer(a), answer(b), answer(torch.zeros_like(a)))
    size = max(float(each.norm()) for each in (whole, *parts[:2]))
    return float((whole - parts[0] - parts[1] + parts[2]).norm()) / max(size, 1e-12)


def _bend(twin: Twin, paths: list[str]) -> None:
    for path in dict.fromkeys(paths):
        if path:
            above, name = parent_of(twin.model, path)
            setattr(above, name, nn.Sequential(getattr(above, name), nn.ReLU()))
