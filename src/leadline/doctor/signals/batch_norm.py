"""Batch norm whose statistics are worth nothing: too few values a channel, or running averages that never follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from leadline.doctor.anatomy import Anatomy
from leadline.doctor.evidence import Evidence, Scene
from leadline.doctor.surgery import asleep, without_dropout

FEW = 4  # values a channel: the mean of so few is mostly chance
LAGGING = 0.3  # of the running average is still its start
RIPE = 50  # steps before which running statistics may lag in any net
BATCHES = 6


@dataclass(frozen=True)
class BatchNormState:
    """few: (path, values a channel) of the worst layer. lag: share of the running average that is still the start. Losses on recorded

    batches as the network is: `train` by the batch's own statistics, `eval` by the running ones, `fresh` by running ones measured anew.
    """

    path: str
    values: int
    rows: int
    lag: float
    momentum: float | None
    train: float
    eval: float
    fresh: float
    steps: int


def measure(scene: Scene) -> BatchNormState | None:
    """None where no batch norm trains, or nothing points at it. Raises NotReplayable."""
    norms = [
        (path, m) for path, m in scene.lab.model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats
    ]  # pyright: ignore[reportPrivateUsage]
    steps = len(scene.heard.steps)
    if not norms or steps < RIPE:
        return None
    slow = min(norms, key=lambda item: 1.0 if item[1].momentum is None else item[1].momentum)
    lag = 0.0 if slow[1].momentum is None else (1 - slow[1].momentum) ** int(slow[1].num_batches_tracked or 0)
    anatomy: Anatomy = Evidence(scene)["layers_start"]
    seen = {layer.path: layer.input for layer in anatomy.layers if layer.input is not None}
    modes = {path for path, module in norms if module.training}
    few = min(
        (
            (x.numel() // x.shape[1], x.shape[0], path)
            for path, _ in norms
            if (x := seen.get(path)) is not None and x.ndim > 1 and path in modes
        ),
        default=None,
    )
    if not modes or (lag < LAGGING and (few is None or (few[0] > FEW and few[1] > 2))):
        return None
    values, rows, path = few or (0, 0, slow[0])
    losses = _losses(scene, [path for path, _ in norms])
    return BatchNormState(slow[0] if lag >= LAGGING else path, values, rows, lag, slow[1].momentum, *losses, steps)


def _losses(scene: Scene, paths: list[str]) -> tuple[float, float, float]:
    """In train mode, in eval mode, and in eval mode after the statistics were averaged anew over the recorded batches."""
    moments = scene.moments[-BATCHES:]
    twin = scene.lab.now()
    without_dropout(twin)
    train = scene.lab.mean_loss(twin, moments)
    asleep_ones = [asleep(moment) for moment in moments]
    before = scene.lab.mean_loss(twin, asleep_ones)
    fresh = twin.again()
    for path in paths:
        norm: Any = fresh.module_at(path)
        norm.reset_running_stats()
        norm.momentum = None
    for moment in moments:
        fresh.loss(moment)
    return train, before, scene.lab.mean_loss(fresh, asleep_ones)
