"""M13: batch norm over a handful of values, or with running averages that never follow."""

from __future__ import annotations

import math

import torch
from torch import nn

from leadline.doctor.bench import blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

APART = 0.25  # of what a constant answer loses: the two modes then are two networks


class BatchNormDegenerate(Rule):
    """Batch norm computes one thing in training and another in use, because its statistics are worth nothing.

    What it sees: at most four values a channel (or two rows), or a momentum so small that the running averages are still their start; and
    the loss of recorded training batches in eval mode is far above that in train mode, with dropout off. Where the statistics are averaged
    anew and the eval loss falls to the other, the proof is complete.
    Why it hurts: the network that is validated and used is not the one that was trained.
    What to do: larger batches, GroupNorm or LayerNorm, or the usual momentum of 0.1 (PyTorch's is one minus TensorFlow's).
    When it is wrong: small batches of large pictures have values enough; batch norm in eval mode on purpose is not asked.
    """

    code, cause, title = "M13", "batch_norm_degenerate", "Batch norm without enough values"
    needs = ("batch_norm", "learning")
    after = 50
    kind = "experiment"

    def examine(self, evidence: Evidence) -> Finding | None:
        """A lead, and two modes that disagree."""
        found = evidence["batch_norm"]
        if found is None or not math.isfinite(found.train):
            return None
        trivial = evidence["learning"].trivial
        level = trivial if trivial is not None else max(abs(evidence["learning"].first), 1e-12)
        gap = found.eval - found.train
        if gap < APART * level or found.eval < 0.5 * level:
            return None
        lags = found.lag >= 0.3
        if lags and found.fresh - found.train > 0.5 * gap:
            return None
        why = (
            f"{found.path} has momentum {found.momentum:g}, so {found.lag:.0%} of its running statistics are still their start"
            if lags
            else f"{found.path} normalises over {found.values} values a channel ({found.rows} rows)"
        )
        return self.found(
            f"{why}: on the same training batches the loss is {found.train:.4g} in train mode and {found.eval:.4g} in eval mode "
            f"(with statistics averaged anew {found.fresh:.4g})",
            control="momentum=0.1 (PyTorch's momentum is one minus TensorFlow's)"
            if lags
            else "a larger batch, or GroupNorm or LayerNorm for batch norm",
            step=0,
            where=found.path,
            evidence={
                "values_per_channel": found.values,
                "rows": found.rows,
                "train": found.train,
                "eval": found.eval,
                "fresh": found.fresh,
            },
        )

    @classmethod
    def sick(cls) -> Case:
        """TensorFlow's momentum."""
        return watched(lambda: classifier(model=_normed(1e-4), steps=120), "momentum=1e-4: the running statistics stay at their start")

    @classmethod
    def well(cls) -> Case:
        """Batches of eight rows."""
        x, y = blobs()
        return watched(lambda: classifier(model=_normed(0.1), loader=loader(x, y, batch_size=8)), "small batches, but enough")


def _normed(momentum: float) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32, momentum=momentum), nn.ReLU(), nn.Linear(32, 3))
