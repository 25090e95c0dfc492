"""The doctor's look at a run's set-up before it begins: our own training step, tried on a copy of the network for some seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.check import check
from leadline.doctor.tape import NotReplayable
from leadline.flow.controls import in_recipe
from leadline.flow.setup import Rig
from leadline.record.batch import Batch
from leadline.record.finding import Finding

SECONDS = 10.0  # for the trial and the replays together; the preflight as a whole is to stay under a minute
RISE = 10  # steps in which the trial's rate rises to its peak, where the run's own schedule warms up


def rehearse(rig: Rig, *, seconds: float = SECONDS) -> tuple[list[Finding], str]:
    """What the doctor finds on a copy (in the recipe's keys, accepted codes left out), and what it did in words.

    Nothing of the rig changes. A network that cannot be copied is not examined, and that is said.
    """
    try:
        report = check(
            rig.model,
            None,
            list(rig.optimizers.optimizers),  # pyright: ignore[reportArgumentType]  # check takes several, as watch does
            _Fed(rig, train=True),
            _Fed(rig, train=False) if len(rig.prepared.split.val) else None,
            _Step(rig),
            seconds=seconds,
        )
    except NotReplayable as reason:
        return [], f"not examined ({reason})"
    peak = float(rig.recipe.train.optimizer.lr)
    accepted = rig.recipe.check.ignore
    found = [
        in_recipe(finding, rig.recipe, lr_then=finding.evidence.get("lr") or peak)
        for finding in report.findings
        if finding.code not in accepted
    ]
    count = sum(finding.severity != "note" for finding in found)
    return found, f"{count or 'nothing'} found in {report.steps} trial steps on a copy, {report.seconds:.1f} s"


class _Fed:
    """A run's batches as any loop gets them: (*inputs, target)."""

    def __init__(self, rig: Rig, *, train: bool) -> None:
        self.rig, self.train = rig, train
        self.epoch = 0

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        rig = self.rig
        batches = rig.batches.epoch(self.epoch) if self.train else rig.batches.sequential(rig.prepared.split.val, rig.at_once)
        self.epoch += self.train
        for batch in batches:
            arranged = rig.precision.arrange(batch)
            yield (*arranged.inputs, arranged.target) if batch.weight is None else (*arranged.inputs, arranged.target, batch.weight)


class _Step:
    """One training step of the recipe: the task's losses, clipped, at a rate that rises as the schedule does."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.done = rig, 0
        self.num_inputs = len(rig.batches.example_batch(1).inputs)
        self.rise = RISE if rig.schedule[0] < max(rig.schedule) else 1

    def __call__(self, model: nn.Module, _loss_fn: Any, optimizer: Any, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        rig, limit = self.rig, self.rig.recipe.train.clip_norm
        optimizers: list[Optimizer] = list(optimizer) if isinstance(optimizer, list | tuple) else [optimizer]
        self.done += 1
        for each in optimizers:
            each.zero_grad()
            for group in each.param_groups:
                group["lr"] = float(rig.recipe.train.optimizer.lr) * group["scale"] * min(1.0, self.done / self.rise)
        total = torch.zeros(())
        for loss in self._losses(model, batch):
            loss.backward()
            total = loss.detach()
        if limit is not None:
            nn.utils.clip_grad_norm_([weight for weight in model.parameters() if weight.grad is not None], limit)
        for each in optimizers:
            each.step()
        return total

    def _losses(self, model: nn.Module, batch: tuple[torch.Tensor, ...]) -> Iterator[torch.Tensor]:
        rig, count = self.rig, self.num_inputs
        weight = batch[count + 1] if len(batch) > count + 1 else None
        index = torch.arange(len(batch[0]), device=batch[0].device)
        losses = rig.prepared.task.losses(model, Batch(batch[:count], batch[count], index, weight, len(index)))
        while True:
            with rig.precision.autocast(rig.device):
                loss = next(losses, None)
            if loss is None:
                return
            yield loss.value
