"""Faults of evaluation: E01 to E05."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.faults.fault import ALL, CLASSIFY, Fault, need
from zoo.faults.loop import has_modes
from zoo.faults.rows import generator, with_rows
from zoo.faults.surgery import Apply, before_head, class_axis
from zoo.program import Setup, make_loader

ROWED = tuple(family for family in ALL if family != "gcn")


def validate_in_train_mode(setup: Setup) -> None:
    """The validation pass without eval()."""
    with torch.no_grad():
        losses = [setup.objective(setup, setup.forward(setup, batch), batch).item() for batch in setup.val_loader]
    setup.val_losses.append(sum(losses) / len(losses))


def eval_skipped(setup: Setup) -> Setup:
    """model.eval() is not called before validation."""
    has_modes(setup)
    return replace(setup, validate=validate_in_train_mode)


def dropout_always(setup: Setup) -> Setup:
    """F.dropout(x, 0.6) in forward, without training=self.training: active in eval mode too."""
    return before_head(setup, lambda _: Apply(lambda x: F.dropout(x, 0.6)))


def noise_always(setup: Setup) -> Setup:
    """Gaussian noise on the features, meant for training, in every pass."""
    return before_head(setup, lambda _: Apply(lambda x: x + 1.5 * x.detach().std() * torch.randn_like(x)))


# E02 overfitting


def few_rows(count: int) -> Callable[[Setup], Setup]:
    """A handful of rows, and as many steps as ever."""

    def plant(setup: Setup) -> Setup:
        rows = torch.randperm(len(setup.train_data[0]), generator=generator())[:count]
        need(len(setup.train_data[0]) > 4 * count, "more rows than that")
        size = min(setup.loader.batch_size or 1, count // 2)
        train = tuple(t[rows] for t in setup.train_data)
        if len(train) == 2 and setup.task == "reconstruct":
            train = (train[0], train[0])
        return replace(with_rows(setup, train=train, batch_size=size), validate_every=max(1, setup.steps // 20))

    return plant


def memorised_noise(setup: Setup) -> Setup:
    """Few rows with a fifth of wrong labels, which a large net learns by heart."""
    need(setup.task == "classify", "classes")
    few = few_rows(120)(setup)
    x, y = few.train_data
    wrong = torch.rand(len(y), generator=generator(3)) < 0.2
    y = torch.where(wrong, (y + 1) % setup.num_classes, y)
    return with_rows(few, train=(x, y), batch_size=few.loader.batch_size)


# E03 wrong_metric


def class_axis_wrong(setup: Setup) -> None:
    """The validation pass, its accuracy by argmax(0): over the rows."""
    setup.model.eval()
    with torch.no_grad():
        found = [metric(setup.forward(setup, batch), batch[1]) for batch in setup.val_loader]
    setup.state.setdefault("accuracy", []).append(sum(found) / len(found))
    setup.model.train()


def metric(output: Tensor, y: Tensor) -> float:
    """argmax over axis 0, compared with as many targets."""
    guess = output.argmax(0)
    return (guess == y[: len(guess)]).float().mean().item()


def argmax_over_rows(setup: Setup) -> Setup:
    """output.argmax(0) in the metric."""
    need(setup.task == "classify", "classes")
    return replace(setup, validate=class_axis_wrong)


def mean_of_batch_means(setup: Setup) -> Setup:
    """The mean of unequal batches' means: a last batch of two rows counts as much as one of 256."""
    need(setup.task == "classify", "classes")
    n = len(setup.val_data[0])
    size = n - 2
    uneven = make_loader(setup.val_data, batch_size=size, shuffle=False)
    return replace(setup, val_loader=uneven)


# E04 selected_on_training


def val_is_train(setup: Setup) -> Setup:
    """The training loader is handed in as the validation loader."""
    return replace(setup, val_loader=setup.loader)


def val_of_training_set(setup: Setup) -> Setup:
    """The validation loader is built over the training data set."""
    need(setup.family != "gcn", "rows")
    return replace(setup, val_loader=make_loader(setup.loader.dataset, batch_size=256, shuffle=False))


# E05 val_loss_differs


def validate_after_softmax(setup: Setup) -> None:
    """The validation pass on softmax(output), with the loss that wants logits."""
    setup.model.eval()
    axis = class_axis(setup)
    with torch.no_grad():
        losses = [setup.loss_fn(setup.forward(setup, batch).softmax(axis), batch[1]).item() for batch in setup.val_loader]
    setup.val_losses.append(sum(losses) / len(losses))
    setup.model.train()


def softmax_in_validation(setup: Setup) -> Setup:
    """softmax before the loss, in validation only."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss) or setup.family in ("gpt", "gcn"), "cross-entropy")
    return replace(setup, validate=validate_after_softmax)


def validate_unmasked(setup: Setup) -> None:
    """The validation pass on inputs divided by 255 once more."""
    setup.model.eval()
    with torch.no_grad():
        losses = [loss_of(setup, (batch[0] / 255, *batch[1:])) for batch in setup.val_loader]
    setup.val_losses.append(sum(losses) / len(losses))
    setup.model.train()


def loss_of(setup: Setup, batch: Any) -> float:
    """The batch's loss as a number."""
    return setup.objective(setup, setup.forward(setup, batch), batch).item()


def scaled_in_validation(setup: Setup) -> Setup:
    """The validation code divides the pictures by 255 again."""
    need(setup.train_data[0].is_floating_point() and setup.task == "classify", "float inputs")
    return replace(setup, validate=validate_unmasked)


HUNGRY = (*CLASSIFY[:-1], "gpt", "autoencoder")  # the others learn from forty rows what there is
TWICE = "two passes in eval mode differ"
MODES = "validation runs in train mode with dropout or batch norm"
SAME = "validation rows are training rows"
PATHS = "training and validation code give another loss for the same rows"
FAULTS = (
    Fault("E01", "eval_skipped", eval_skipped, ALL, base={"dropout": 0.3}, invariant=MODES, stage="L"),
    Fault("E01", "dropout_always", dropout_always, ALL, invariant=TWICE),
    Fault("E01", "noise_always", noise_always, ALL, invariant=TWICE),
    Fault("E02", "40_rows", few_rows(40), HUNGRY, stage="L"),
    Fault("E02", "100_rows", few_rows(100), HUNGRY, stage="L"),
    Fault("E02", "noise_by_heart", memorised_noise, CLASSIFY, alike=("D15",), stage="L"),
    Fault("E03", "argmax_over_rows", argmax_over_rows, CLASSIFY, invariant="the metric disagrees with its recomputation", stage="L"),
    Fault("E03", "mean_of_batch_means", mean_of_batch_means, CLASSIFY, invariant="the mean of means is not the mean", stage="L"),
    Fault("E04", "val_is_train", val_is_train, ALL, invariant=SAME, alike=("D06",), stage="S"),
    Fault("E04", "val_of_training_set", val_of_training_set, ROWED, invariant=SAME, alike=("D06",), stage="S"),
    Fault("E05", "softmax_in_validation", softmax_in_validation, (*CLASSIFY, "unet", "gpt"), invariant=PATHS, stage="L"),
    Fault("E05", "scaled_in_validation", scaled_in_validation, CLASSIFY, invariant=PATHS, alike=("D11",), stage="L"),
)
