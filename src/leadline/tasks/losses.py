"""Losses over a batch as plain functions; each is a mean over examples, so that micro-batches and processes add up exactly."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F


def cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, *, label_smoothing: float = 0.0, class_weight: torch.Tensor | None = None
) -> torch.Tensor:
    """(B,) cross-entropy per example, in nats.

    logits: (B, C), or (B, K, C) from an ensemble whose K members are averaged in loss. target: (B,) codes, or (B, C) soft shares.
    class_weight: (C,), averaging 1 over the training set; unlike torch's own `weight` it does not change what the mean divides by.
    """
    if logits.ndim == 3:
        logits, target = logits.transpose(1, 2), target[..., None].expand(*target.shape, logits.shape[1])  # members stand last
    losses = F.cross_entropy(logits, target, label_smoothing=label_smoothing, reduction="none")
    if losses.ndim == 2:
        losses, target = losses.mean(1), target[..., 0]
    if class_weight is None:
        return losses
    return losses * (class_weight[target] if target.ndim == 1 else target @ class_weight)


def regression(values: torch.Tensor, target: torch.Tensor, *, kind: str) -> torch.Tensor:
    """(B,) loss per example in standardised units. values: (B, 1), or (B, K, 1) from an ensemble; target: (B,). kind: mse, mae or huber."""
    difference = values.squeeze(-1) - (target if values.ndim == 2 else target[:, None])
    if kind == "mse":
        losses = difference.square()
    elif kind == "mae":
        losses = difference.abs()
    else:
        losses = F.huber_loss(difference, torch.zeros_like(difference), reduction="none")
    return losses if losses.ndim == 1 else losses.mean(1)


def mean(losses: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Their mean over the examples, each counted `weight` times where there are weights."""
    return losses.mean() if weight is None else (losses * weight).mean()


def plain(outputs: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    """(N,) float64 loss of each example, without smoothing or weights: cross-entropy of (N, C) logits, or the squared error of values."""
    if target.is_floating_point():
        error = outputs.double().reshape(len(target), -1) - target.double().reshape(len(target), -1)
        return error.square().mean(dim=1).numpy()
    return F.cross_entropy(outputs.double(), target, reduction="none").numpy()
