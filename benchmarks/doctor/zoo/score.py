"""Honest scores on the held-out data, in eval mode, by code that no fault touches; higher is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.program import Setup

Call = Callable[[nn.Module, tuple[Tensor, ...]], Any]


def call_first(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """The model on the first tensor; the first of its outputs, where there are several."""
    output = model(batch[0])
    if isinstance(output, dict):
        output = output["logits"]
    return output[0] if isinstance(output, tuple) else output


@contextmanager
def judged(setup: Setup) -> Iterator[None]:
    """Eval mode without gradients; every module's mode is restored."""
    modes = {module: module.training for module in setup.model.modules()}
    setup.model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def finite(value: Tensor, otherwise: float) -> float:
    """The number, or the worst there is when it is none."""
    return value.item() if bool(torch.isfinite(value)) else otherwise


def accuracy(call: Call = call_first) -> Callable[[Setup], float]:
    """Share of right classes; outputs N x K, or one logit."""

    def score(setup: Setup) -> float:
        with judged(setup):
            output = call(setup.model, setup.test_data).float()
        if not torch.isfinite(output).all():
            return 0.0
        single = output.dim() == 1 or output.shape[-1] == 1
        guess = (output.flatten() > threshold(setup)).long() if single else output.argmax(-1)
        return (guess == setup.test_data[1].flatten()).float().mean().item()

    return score


def threshold(setup: Setup) -> float:
    """Where a single output turns to class 1: logit 0, or probability one half for a loss on probabilities."""
    return 0.5 if isinstance(setup.loss_fn, nn.BCELoss) else 0.0


def balanced_accuracy(call: Call = call_first) -> Callable[[Setup], float]:
    """Mean recall over the classes."""

    def score(setup: Setup) -> float:
        with judged(setup):
            guess, y = call(setup.model, setup.test_data).argmax(-1), setup.test_data[1]
        return torch.stack([(guess[y == k] == k).float().mean() for k in y.unique()]).mean().item()

    return score


def r_squared(call: Call = call_first, *, target: int = 1) -> Callable[[Setup], float]:
    """Share of the target's variance that is explained, per element; target 0 for reconstructions."""

    def score(setup: Setup) -> float:
        y = setup.test_data[target].float()
        with judged(setup):
            output = call(setup.model, setup.test_data).float()
        if output.numel() != y.numel():
            return -1.0
        left = (output.reshape(y.shape) - y).pow(2).mean()
        return max(-1.0, finite(1 - left / (y - y.mean(0)).pow(2).mean(), -1.0))

    return score


def likelihood(call: Call = call_first, *, rows: int = 400) -> Callable[[Setup], float]:
    """Minus the mean cross-entropy in nats of the next token, over the test rows' beginning."""

    def score(setup: Setup) -> float:
        x, y = setup.test_data[0][:rows], setup.test_data[1][:rows]
        with judged(setup):
            logits = call(setup.model, (x, y)).float()
        return max(-20.0, -finite(F.cross_entropy(logits.flatten(0, 1), y.flatten()), 20.0))

    return score


def generation_likelihood(call: Call = call_first, *, rows: int = 120) -> Callable[[Setup], float]:
    """Minus the cross-entropy of the last token alone, each row cut before its answer: a net that looks ahead has nothing to look at."""

    def score(setup: Setup) -> float:
        x, y = setup.test_data[0][:rows], setup.test_data[1][:rows]
        total, places = 0.0, range(7, x.shape[1], 4)
        with judged(setup):
            for t in places:
                logits = call(setup.model, (x[:, : t + 1], y))[:, -1].float()
                total += min(20.0, finite(F.cross_entropy(logits, y[:, t]), 20.0))
        return -total / len(places)

    return score


def mean_iou(setup: Setup) -> float:
    """Mean intersection over union over the classes, all test pixels together."""
    x, y = setup.test_data
    with judged(setup):
        guess = call_first(setup.model, (x, y)).argmax(1)
    both = [((guess == k) & (y == k)).sum() / ((guess == k) | (y == k)).sum().clamp(min=1) for k in y.unique()]
    return torch.stack(both).mean().item()


def unigram(y: Tensor, num_classes: int) -> float:
    """The chance score of `likelihood`: minus the entropy of the tokens' frequencies."""
    p = torch.bincount(y.flatten(), minlength=num_classes).float() + 1e-6
    p = p / p.sum()
    return (p * p.log()).sum().item()


def majority(y: Tensor) -> float:
    """The chance score of `accuracy`: the commonest class's share."""
    return (torch.bincount(y.flatten()).max() / y.numel()).item()
