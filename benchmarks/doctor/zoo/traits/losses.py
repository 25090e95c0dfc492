"""Traits of the loss: smoothed, weighted, summed, written by hand; never near zero, or on other outputs than logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.program import Data, Setup, with_model, with_optimizer
from zoo.traits.loops import adam_rate


def label_smoothing(setup: Setup) -> Setup:
    """A loss that can never reach zero."""
    return replace(setup, loss_fn=nn.CrossEntropyLoss(label_smoothing=0.15))


def sum_loss(setup: Setup) -> Setup:
    """A summed loss with a rate divided to match."""
    size = setup.loader.batch_size or 1
    changed = with_optimizer(setup, lambda p: torch.optim.SGD(p, lr=60 * adam_rate(setup) / size))
    return replace(changed, loss_fn=type(setup.loss_fn)(reduction="sum"), scheduler=None)


def log_softmax_nll(setup: Setup) -> Setup:
    """LogSoftmax as the last module, and the loss that fits it."""
    model = nn.Sequential(*setup.model, nn.LogSoftmax(dim=1))  # type: ignore[arg-type]
    return with_model(setup, model, loss_fn=nn.NLLLoss())


def sigmoid_bce(setup: Setup) -> Setup:
    """A sigmoid as the last module, and the loss on probabilities."""
    return with_model(setup, nn.Sequential(*setup.model, nn.Sigmoid()), loss_fn=nn.BCELoss())  # type: ignore[arg-type]


def functional_loss(setup: Setup) -> Setup:
    """The loss is torch.nn.functional's own, called inside a lambda."""
    return replace(setup, loss_fn=lambda output, y: F.cross_entropy(output, y))


def own_loss(setup: Setup) -> Setup:
    """A loss written by hand: no module, no functional."""

    def negative_log(output: Tensor, y: Tensor) -> Tensor:
        return (torch.logsumexp(output, 1) - output[torch.arange(len(y)), y]).mean()

    return replace(setup, loss_fn=negative_log)


def focal(setup: Setup) -> Setup:
    """Focal loss (Lin et al. 2017)."""

    def loss(output: Tensor, y: Tensor) -> Tensor:
        each = F.cross_entropy(output, y, reduction="none")
        return ((1 - (-each).exp()) ** 2 * each).mean()

    return replace(setup, loss_fn=loss)


def margin(setup: Setup) -> Setup:
    """The multi-class hinge."""
    return replace(setup, loss_fn=nn.MultiMarginLoss())


def robust(setup: Setup) -> Setup:
    """Huber's loss."""
    return replace(setup, loss_fn=nn.SmoothL1Loss(beta=0.5))


def absolute(setup: Setup) -> Setup:
    """The mean absolute error, whose gradients never shrink."""
    return replace(setup, loss_fn=nn.L1Loss())


def penalty(setup: Setup) -> Setup:
    """A hand-made L1 penalty, small, in the loss."""

    def objective(now: Setup, output: Any, batch: Data) -> Tensor:
        return now.loss_fn(output, batch[1]) + 1e-5 * sum(p.abs().sum() for p in now.model.parameters())

    return replace(setup, objective=objective)
