"""Traits of the net: frozen, pre-trained, sparse, tied, normed and wrapped on purpose."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.program import Setup, train, with_model


def frozen_backbone(setup: Setup) -> Setup:
    """A pre-trained body that stays as it is under a new head; the optimizer holds the head only, or all of it."""
    teacher = copy.deepcopy(setup)
    train(teacher)
    model = teacher.model
    model.requires_grad_(False)
    head = model.get_submodule(setup.head)
    head.reset_parameters()  # type: ignore[operator]
    head.requires_grad_(True)
    for module in model.modules():
        module.train()
    return with_model(setup, model, good=setup.chance + 0.85 * (setup.good - setup.chance))


def frozen_norms(setup: Setup) -> Setup:
    """A pre-trained net fine-tuned with its batch norms in eval mode on purpose, as detection code does."""
    teacher = copy.deepcopy(setup)
    train(teacher)

    def fix(now: Setup, epoch: int) -> None:
        for module in now.model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.eval()

    def validate(now: Setup) -> None:
        setup.validate(now)
        fix(now, 0)

    gentle = with_model(setup, teacher.model, new_epoch=fix, validate=validate)
    for group in gentle.optimizer.param_groups:
        group["lr"] *= 0.3  # fine-tuning
    return replace(gentle, scheduler=None, steps=setup.steps // 2)


def sparse_relu(setup: Setup) -> Setup:
    """Hidden layers four times as wide whose ReLUs are four fifths silent."""
    assert setup.build_model is not None
    model = setup.build_model(width=160, activation=nn.ReLU, norm=None, dropout=0.0)
    for module in list(model)[:-1]:  # type: ignore[arg-type]
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            nn.init.constant_(module.bias, -0.8)
    return with_model(setup, model)


def returns_dict(setup: Setup) -> Setup:
    """The net returns a dictionary, as Hugging Face's do."""

    class Named(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": self.inner(x), "size": torch.tensor(len(x))}

    objective = lambda now, output, batch: now.loss_fn(output["logits"], batch[1])  # noqa: E731
    return with_model(setup, Named(setup.model), objective=objective, head=f"inner.{setup.head}")


def own_loss_inside(setup: Setup) -> Setup:
    """The net takes inputs and labels and returns (loss, logits)."""

    class WithLoss(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
            logits = self.inner(x)
            return logits if y is None else (F.cross_entropy(logits, y), logits)

    changed = with_model(setup, WithLoss(setup.model), head=f"inner.{setup.head}")
    return replace(changed, forward=lambda now, batch: now.model(batch[0], batch[1]), objective=lambda now, output, batch: output[0])


def bounded_weights(setup: Setup) -> Setup:
    """Spectral or weight norm on the hidden linears (a parametrization)."""
    for name, module in setup.model.named_modules():
        if isinstance(module, nn.Linear) and name != setup.head:
            torch.nn.utils.parametrizations.weight_norm(module)
    return with_model(setup, setup.model)


def zero_head(setup: Setup) -> Setup:
    """The last layer starts at zero: every class equally likely, the first loss ln K."""
    head = setup.model.get_submodule(setup.head)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    return setup


def eval_without_parts(setup: Setup) -> Setup:
    """model.eval() all along, in a net that has no part to mind it."""
    return replace(setup, new_epoch=lambda now, epoch: now.model.eval() and None)
