"""In which mode the network was at its optimizer steps, and whether that minds a part of it that trains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.twin import bare

RUN = 3  # steps in a row


@dataclass(frozen=True)
class Modes:
    """asleep: steps in a row (RUN at least) with the whole network in eval mode. from_start: all steps so far were such. parts: names of
    dropout and batch-norm modules of trained parts; norms: those of them that are batch norms. untouched: a batch norm's running statistics
    never saw a batch.
    """

    asleep: tuple[int, ...]
    steps: int
    from_start: bool
    parts: tuple[str, ...]
    norms: tuple[str, ...]
    untouched: bool


def measure(scene: Scene) -> Modes:
    """Raises NotExamined where no part that trains behaves otherwise in eval mode."""
    heard = scene.heard
    if not heard.steps:
        raise NotExamined("no step was taken yet")
    root = bare(scene.model)
    trained = {path: module for path, module in heard.sleepers if _is_trained(root, path)}
    if not trained:
        raise NotExamined("no dropout and no batch norm in the parts that train")
    asleep = tuple(step.index for step in heard.steps if not step.root_training and not step.partly_awake)
    norms = {path: module for path, module in trained.items() if _is_norm(module)}
    untouched = any(_is_untouched(module) for module in norms.values())
    return Modes(_in_a_row(asleep), len(heard.steps), len(asleep) == len(heard.steps), tuple(trained), tuple(norms), untouched)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]


def _in_a_row(asleep: tuple[int, ...]) -> tuple[int, ...]:
    """The steps that belong to a run; single ones are those of another network's optimizer, while this one stands aside."""
    near = set(asleep)
    return tuple(i for i in asleep if any(all(k in near for k in range(i - back, i - back + RUN)) for back in range(RUN)))


def _is_trained(root: nn.Module, path: str) -> bool:
    """Whether the nearest part around a module that has parameters at all trains some of them."""
    while True:
        parameters = list(root.get_submodule(path).parameters()) if path else list(root.parameters())
        if parameters or not path:
            return any(p.requires_grad for p in parameters)
        path = path.rpartition(".")[0]


def _is_untouched(module: nn.Module) -> bool:
    mean, var = getattr(module, "running_mean", None), getattr(module, "running_var", None)
    return mean is not None and var is not None and not bool(mean.any()) and bool(torch.all(var == 1))
