"""Faults of structure: M07, M11 to M13, M15, M16, M18, M20."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.families import gpt, vae
from zoo.faults.fault import ALL, CLASSIFY, Fault, need
from zoo.faults.rows import with_rows
from zoo.faults.surgery import (
    ACTIVATIONS,
    Apply,
    after_head,
    before_head,
    class_axis,
    dense,
    rebuilt,
    swap,
)
from zoo.program import Setup, with_model

NET = tuple(family for family in ALL if family not in ("encoder", "vit", "lora", "rnn", "gpt"))  # activations are modules there


def no_activation(setup: Setup) -> Setup:
    """The activations are not there."""
    need(swap(setup.model, ACTIVATIONS, lambda _: nn.Identity()) > 0, "activations as modules")
    return rebuilt(setup)


class Unused(nn.Module):
    """Computes the activation and gives back the input: `F.relu(x)` without assignment."""

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        F.relu(x)
        return x


def unused_activation(setup: Setup) -> Setup:
    """The activations' results are not assigned."""
    need(swap(setup.model, ACTIVATIONS, lambda _: Unused()) > 0, "activations as modules")
    return rebuilt(setup)


# M11 mixed_dimensions


def viewed(x: Tensor) -> Tensor:
    """x.view(other shape) where a transpose and back was meant: rows of the batch are mixed."""
    return x.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)


def view_for_transpose(setup: Setup) -> Setup:
    """view instead of transpose before the head."""
    return before_head(setup, lambda _: Apply(viewed))


def time_first(setup: Setup) -> Setup:
    """batch_first is left at False, with rows first."""
    found = [m for m in setup.model.modules() if getattr(m, "batch_first", False) is True]
    need(bool(found), "a module with batch_first")
    for module in found:
        module.batch_first = False  # type: ignore[assignment]
    return setup


def softmax_over_rows(setup: Setup) -> Setup:
    """A gate before the head whose softmax runs over the batch."""
    return before_head(setup, lambda width: Gate(dense(setup, width), 0))


class Gate(nn.Module):
    """x times a softmax of a layer of x."""

    def __init__(self, layer: nn.Module, axis: int) -> None:
        super().__init__()
        self.layer, self.axis = layer, axis

    def forward(self, x: Tensor) -> Tensor:
        """The gated input."""
        return x * self.layer(x).softmax(self.axis)


# M12 future_seen


class Late(gpt.Block):
    """The block with the mask's diagonal off by one: each place sees the next."""

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        n, t, width = x.shape
        q, k, v = (part.view(n, t, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(width, 2))
        seen = torch.ones(t, t, dtype=torch.bool).tril(1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + self.proj(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.mlp(self.norm2(x))


def mask_dropped(setup: Setup) -> Setup:
    """is_causal is False."""
    for block in setup.model.get_submodule("blocks").children():
        block.mask = False  # type: ignore[assignment]
    return setup


def mask_off_by_one(setup: Setup) -> Setup:
    """tril(diagonal=1)."""
    for block in setup.model.get_submodule("blocks").children():
        block.__class__ = Late
    return setup


def mean_over_all(setup: Setup) -> Setup:
    """The mean over all places, later ones too, is added to each before the head (a sentence vector)."""
    return before_head(setup, lambda _: Apply(lambda x: x + x.mean(1, keepdim=True)))


# M13 batch_norm_degenerate


def batch_norms(setup: Setup) -> list[Any]:
    """The batch norms."""
    found = [m for m in setup.model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    need(bool(found), "batch norm")
    return found


def two_rows(setup: Setup) -> Setup:
    """A batch of 2: all that fitted into memory."""
    batch_norms(setup)
    return with_rows(setup, batch_size=2, drop_last=True)


def statistics_never_follow(setup: Setup) -> Setup:
    """momentum=0.001 (TensorFlow's 0.999, translated): the running statistics stay where they began."""
    for norm in batch_norms(setup):
        norm.momentum = 1e-4
    return setup


def statistics_over_one(setup: Setup) -> Setup:
    """Batch norm over micro-batches of 2, with the batch put together again by accumulation."""
    batch_norms(setup)
    return replace(with_rows(setup, batch_size=2, drop_last=True), accumulate=8, steps=setup.steps * 4)


# M15 too_small


def needle(setup: Setup) -> Setup:
    """A layer of one unit before the head."""
    return before_head(setup, lambda width: nn.Sequential(dense(setup, width, 1), nn.Tanh(), dense(setup, 1, width)))


def rebuilt_with(**options: Any) -> Callable[[Setup], Setup]:
    """The family's model with other sizes."""

    def plant(setup: Setup) -> Setup:
        assert setup.build_model is not None
        return with_model(setup, setup.build_model(**options))

    return plant


# M16 wrong_softmax


def log_softmax_over(axis: int) -> Callable[[Setup], Setup]:
    """LogSoftmax over an axis that does not hold the classes, and NLLLoss."""

    def plant(setup: Setup) -> Setup:
        need(isinstance(setup.loss_fn, nn.CrossEntropyLoss), "cross-entropy")
        need(axis % 4 != class_axis(setup) % 4, "another axis")
        return replace(after_head(setup, nn.LogSoftmax(axis)), loss_fn=nn.NLLLoss())

    return plant


def softmax_rows(setup: Setup) -> Setup:
    """Softmax(dim=0) and cross-entropy."""
    need(isinstance(setup.loss_fn, (nn.CrossEntropyLoss, gpt.TokenLoss)), "cross-entropy")
    return after_head(setup, nn.Softmax(0))


def softmax_of_one(setup: Setup) -> Setup:
    """Softmax over a single unit: always 1."""
    need(setup.task == "binary", "one logit")
    return replace(after_head(setup, nn.Softmax(1)), loss_fn=nn.BCELoss())


# M18 collapse


def heavy_divergence(setup: Setup) -> Setup:
    """The divergence weighs a hundred times: the code says nothing."""
    old: Any = setup.loss_fn
    return replace(setup, loss_fn=vae.Bound(beta=100.0, variance=old.variance))


class MeanError(vae.Bound):
    """The mean error over all elements beside the summed divergence: the usual mismatch."""

    def forward(self, output: tuple[Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
        """The loss."""
        back, mu, logvar = output
        return F.mse_loss(back, x) - 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()


def mean_beside_sum(setup: Setup) -> Setup:
    """reduction='mean' for the error, a sum for the divergence."""
    return replace(setup, loss_fn=MeanError())


# M20 wrong_load


def loaded(setup: Setup, rename: Callable[[str], str]) -> Setup:
    """A fresh encoder that loads the pre-trained weights under other names with strict=False."""
    assert setup.build_model is not None
    weights = {rename(key): value for key, value in setup.model.state_dict().items() if not key.endswith((".a", ".b"))}
    fresh = setup.build_model(load=False)
    fresh.load_state_dict(weights, strict=False)
    return with_model(setup, fresh)


def prefixed(setup: Setup) -> Setup:
    """All keys carry 'module.' from DataParallel: nothing is loaded."""
    return loaded(setup, lambda key: "module." + key)


def nested(setup: Setup) -> Setup:
    """The whole checkpoint {"model": ..., "step": ...} is handed in, not its weights: nothing is loaded."""
    return loaded(setup, lambda key: "model." + key)


MIX = "a row's output depends on other rows in eval mode"
AHEAD = "an output depends on later tokens"
FAULTS = (
    Fault("M07", "dropped", no_activation, NET),
    Fault("M07", "result_unused", unused_activation, NET),
    Fault("M11", "view_for_transpose", view_for_transpose, ALL, invariant=MIX),
    Fault("M11", "batch_first", time_first, ("rnn",), invariant=MIX),
    Fault("M11", "batch_first_of_attention", time_first, ("vit",)),  # the class token sees class tokens only: harm, but no mixing
    Fault("M11", "gate_over_rows", softmax_over_rows, ALL, invariant=MIX, alike=("M16",)),
    Fault("M12", "mask_dropped", mask_dropped, ("gpt",), invariant=AHEAD),
    Fault("M12", "mask_off_by_one", mask_off_by_one, ("gpt",), invariant=AHEAD),
    Fault("M12", "mean_over_all", mean_over_all, ("gpt",), invariant=AHEAD),
    Fault("M13", "two_rows", two_rows, ("mlp", "cnn_bn", "resnet", "unet"), base={"norm": "batch"}, alike=("O01",)),
    Fault("M13", "statistics_never_follow", statistics_never_follow, ("mlp", "cnn_bn", "resnet", "unet"), base={"norm": "batch"}),
    Fault("M13", "micro_batches_of_two", statistics_over_one, ("mlp", "cnn_bn", "resnet", "unet"), base={"norm": "batch"}),
    Fault("M15", "one_unit", needle, (*CLASSIFY, "unet", "gpt")),
    Fault("M15", "width_2", rebuilt_with(width=2), ("mlp", "rnn", "gcn", "autoencoder", "vae", "diffusion")),
    Fault("M15", "code_1", rebuilt_with(code=1), ("autoencoder", "vae")),
    Fault("M16", "log_softmax_rows", log_softmax_over(0), CLASSIFY, invariant=MIX, alike=("M11",)),
    Fault("M16", "log_softmax_columns", log_softmax_over(-1), ("unet",)),
    Fault("M16", "softmax_rows", softmax_rows, CLASSIFY, invariant=MIX, alike=("L01", "M11")),
    Fault("M16", "single_unit", softmax_of_one, ("mlp",)),
    Fault("M18", "divergence_x100", heavy_divergence, ("vae",), alike=("L10",), stage="L"),
    Fault("M18", "mean_beside_sum", mean_beside_sum, ("vae",), alike=("L10", "L06"), stage="L"),
    Fault("M20", "prefixed", prefixed, ("lora",), alike=("M09",), stage="S"),
    Fault("M20", "nested", nested, ("lora",), alike=("M09",), stage="S"),
)
