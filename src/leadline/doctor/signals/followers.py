"""Weight averages that are asked for answers and never follow: torch's AveragedModel, and copies inside the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.gauge import sampled
from leadline.doctor.twin import bare

STEPS = 50  # after which an average should have followed once


@dataclass(frozen=True)
class Followers:
    """averages: torch AveragedModels of this network that were called and never updated. standing: paths of parts of the network that are
    copies of another part (same shapes, same values at the start), do not train, and stand still while the other part moved.
    """

    averages: int
    standing: tuple[tuple[str, str], ...]
    answers: bool  # the network answers with the first of these copies in eval mode, and not in train mode
    steps: int


def measure(scene: Scene) -> Followers:
    """Raises NotExamined before enough steps."""
    heard = scene.heard
    if len(heard.steps) < STEPS and not (scene.ended and len(heard.steps) >= STEPS // 2):
        raise NotExamined("too few steps for an average to follow")
    averages = [average for average in heard.lives.averages if not int(average.n_averaged)]
    root = bare(scene.model)
    moved = set(Evidence(scene)["weights_moved"].moved)
    start = None if scene.lab.start is None else scene.lab.start.model
    standing = () if start is None else tuple(_standing(root, start, moved))
    return Followers(len(averages), standing, bool(standing) and _answers(scene, *standing[0]), len(heard.steps))


def _standing(root: nn.Module, start: nn.Module, moved: set[str]) -> list[tuple[str, str]]:
    """Pairs of children (frozen copy, what it is a copy of)."""
    children = [(name, child) for name, child in root.named_children() if any(True for _ in child.parameters())]
    found = []
    for name, child in children:
        if any(p.requires_grad for p in child.parameters()):
            continue
        others = [
            other
            for other, twin in children
            if other != name and type(twin) is type(child) and any(m.startswith(other + ".") for m in moved)
        ]
        found += [(name, other) for other in others if _were_equal(start, name, other) and _stands(root, start, name)]
    return found


def _were_equal(start: nn.Module, first: str, second: str) -> bool:
    a, b = ([sampled(p) for p in start.get_submodule(path).parameters()] for path in (first, second))
    return len(a) == len(b) and all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _stands(root: nn.Module, start: nn.Module, path: str) -> bool:
    now, before = (list(model.get_submodule(path).parameters()) for model in (root, start))
    return all(torch.equal(sampled(p), sampled(q)) for p, q in zip(now, before, strict=True))


def _answers(scene: Scene, copy: str, original: str) -> bool:
    """Whether eval mode goes through the copy and train mode through the other, on the inputs of a recorded step."""
    twin = scene.lab.now()
    called: list[str] = []
    for path in (copy, original):
        twin.module_at(path).register_forward_pre_hook(_noting(called, path))
    with torch.no_grad():
        twin.model.train()(*scene.last.inputs)
        training = set(called)
        called.clear()
        twin.model.eval()(*scene.last.inputs)
    return copy in called and original not in called and copy not in training


def _noting(called: list[str], path: str) -> Any:
    def hook(_module: nn.Module, _args: Any) -> None:
        called.append(path)

    return hook
