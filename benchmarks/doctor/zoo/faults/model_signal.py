"""Faults of initialisation and signal: M01 to M06, M14, M17, M19."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.faults.fault import ALL, Fault, need
from zoo.faults.surgery import ACTIVATIONS, Apply, after_head, before_head, dense, head, place, rebuilt, refill, swap
from zoo.program import Data, Setup, with_model

RELUS = ("mlp", "cnn_bn", "resnet", "autoencoder", "vae", "gcn", "unet")
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def stacked(setup: Setup, depth: int, activation: Callable[[], nn.Module], fill: Callable[[Tensor], Any] | None = None) -> Setup:
    """A chain of dense layers with an activation before the head; fill initialises their weights."""

    def make(width: int) -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [dense(setup, width), activation()]
        chain = nn.Sequential(*layers)
        if fill is not None:
            refill(chain, fill)
        return chain

    return before_head(setup, make)


def deep_sigmoid(setup: Setup) -> Setup:
    """Ten more layers, each with a sigmoid: every one passes at most a quarter."""
    return stacked(setup, 10, nn.Sigmoid)


def deep_small_normal(setup: Setup) -> Setup:
    """Eight more tanh layers, initialised N(0, 0.01)."""
    return stacked(setup, 8, nn.Tanh, lambda w: nn.init.normal_(w, std=0.01))


def sigmoids_all_over(setup: Setup) -> Setup:
    """A deep net with sigmoids between all layers, as in 1990."""
    need(swap(setup.model, ACTIVATIONS, lambda _: nn.Sigmoid()) > 4, "a deep net with activations")
    return rebuilt(setup)


def deep_gain(setup: Setup) -> Setup:
    """Ten more layers with a gain of three and no norm: the signal grows by 3 ** 10."""
    return stacked(setup, 10, nn.LeakyReLU, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu").mul_(3.0))


class Growing(nn.Module):
    """x + f(x), doubled: a residual block whose skip was added twice."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return 2 * (x + self.part(x))


def residual_growth(setup: Setup) -> Setup:
    """Twelve residual blocks without norm whose skip is added twice."""
    blocks = lambda width: nn.Sequential(*(Growing(nn.Sequential(dense(setup, width), nn.ReLU())) for _ in range(12)))  # noqa: E731
    return before_head(setup, blocks)


def relu_recurrence(setup: Setup) -> Setup:
    """A ReLU recurrence whose matrix is 1.7 times the identity: 1.7 ** steps."""
    old: Any = setup.model.get_submodule("rnn")
    need(old.num_layers == 1, "one recurrent layer")
    new = nn.RNN(old.input_size, old.hidden_size, nonlinearity="relu", batch_first=True)
    with torch.no_grad():
        new.weight_hh_l0.copy_(1.7 * torch.eye(old.hidden_size))
    place(setup.model, "rnn", new)
    return rebuilt(setup)


def dead_layer(setup: Setup) -> Setup:
    """A layer before the head whose ReLUs start at a bias of -10."""

    def make(width: int) -> nn.Module:
        layer = dense(setup, width)
        nn.init.constant_(layer.bias, -10.0)  # type: ignore[arg-type]
        return nn.Sequential(layer, nn.ReLU())

    return before_head(setup, make)


def dead_biases(setup: Setup) -> Setup:
    """All hidden biases (of the norms, where there are norms) start at -5."""
    kinds = NORMS if any(isinstance(m, NORMS) for m in setup.model.modules()) else (nn.Linear, nn.Conv2d)
    found = [m for m in setup.model.modules() if isinstance(m, kinds) and m is not head(setup) and m.bias is not None]
    need(bool(found) and any(isinstance(m, nn.ReLU) for m in setup.model.modules()), "biases and ReLUs")
    for module in found:
        nn.init.constant_(module.bias, -5.0)
    return setup


def negated_input(setup: Setup) -> Setup:
    """-relu(x) goes into relu: all units of the second are dead."""

    def make(width: int) -> nn.Module:
        second = dense(setup, width)
        with torch.no_grad():
            second.weight.abs_()  # type: ignore[operator]
            nn.init.constant_(second.bias, -0.1)  # type: ignore[arg-type]
        return nn.Sequential(nn.ReLU(), Apply(torch.neg), second, nn.ReLU())

    return before_head(setup, make)


def all_zero(setup: Setup) -> Setup:
    """nn.init.zeros_ on every weight."""
    refill(setup.model, nn.init.zeros_)
    return setup


def all_constant(setup: Setup) -> Setup:
    """nn.init.constant_(w, 0.05) on every weight."""
    refill(setup.model, lambda w: nn.init.constant_(w, 0.05))
    return setup


def zero_lora(setup: Setup) -> Setup:
    """Both factors of every correction start at zero, and the head is as it was: only the head learns."""
    with torch.no_grad():
        for name, parameter in setup.model.named_parameters():
            if name.endswith((".a", ".b")):
                parameter.zero_()
    return setup


def one_layer_zero(setup: Setup) -> Setup:
    """A hidden layer before the head is zero, and so is the head."""

    def make(width: int) -> nn.Module:
        layer = dense(setup, width)
        refill(layer, nn.init.zeros_)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        return nn.Sequential(layer, nn.ReLU())

    with torch.no_grad():
        head(setup).weight.zero_()
    return before_head(setup, make)


def scaled_weights(factor: float) -> Callable[[Setup], Setup]:
    """Every weight times a factor."""

    def plant(setup: Setup) -> Setup:
        refill(setup.model, lambda w: w.mul_(factor))
        return setup

    return plant


def unit_normal(setup: Setup) -> Setup:
    """torch.randn for every weight: N(0, 1) whatever the width."""
    refill(setup.model, nn.init.normal_)
    return setup


def loud_head(setup: Setup) -> Setup:
    """The head starts a hundred times too large."""
    with torch.no_grad():
        head(setup).weight.mul_(100.0)
    return setup


def saturated_tanh(setup: Setup) -> Setup:
    """A tanh layer before the head whose weights start fifty times too large."""

    def make(width: int) -> nn.Module:
        layer = dense(setup, width)
        refill(layer, lambda w: w.mul_(50.0))
        return nn.Sequential(layer, nn.Tanh())

    return before_head(setup, make)


def steep_activations(setup: Setup) -> Setup:
    """tanh(20 x) between all layers (a temperature the wrong way round)."""
    need(swap(setup.model, ACTIVATIONS, lambda _: Apply(lambda x: torch.tanh(20 * x))) > 0, "activations as modules")
    return rebuilt(setup)


def shifted_sigmoid(setup: Setup) -> Setup:
    """Sigmoid units that start at a bias of 12."""

    def make(width: int) -> nn.Module:
        layer = dense(setup, width)
        nn.init.constant_(layer.bias, 12.0)  # type: ignore[arg-type]
        return nn.Sequential(layer, nn.Sigmoid())

    return before_head(setup, make)


def dropout_95(setup: Setup) -> Setup:
    """Dropout of 0.95 before the head: keep and drop were exchanged."""
    return before_head(setup, lambda _: nn.Dropout(0.95))


def dropout_after_each(setup: Setup) -> Setup:
    """Dropout of 0.7 after every activation."""
    need(swap(setup.model, ACTIVATIONS, lambda a: nn.Sequential(a, nn.Dropout(0.7))) > 0, "activations as modules")
    return rebuilt(setup)


def dropout_on_logits(setup: Setup) -> Setup:
    """Dropout of 0.8 on the outputs themselves."""
    return after_head(setup, nn.Dropout(0.8))


def squares_in_loss(setup: Setup) -> Setup:
    """The squares of all weights, times 0.3, are added to the loss."""
    plain = setup.objective

    def objective(s: Setup, output: Any, batch: Data) -> Tensor:
        return plain(s, output, batch) + 0.3 * sum(p.pow(2).sum() for p in s.model.parameters() if p.requires_grad)

    return replace(setup, objective=objective)


def loud_attention(setup: Setup) -> Setup:
    """Queries and keys start thirty times too large: attention picks one place and never learns another."""
    with torch.no_grad():
        found = 0
        for name, weight in setup.model.named_parameters():
            if name.endswith(("in_proj_weight", "qkv.weight")):
                weight[: 2 * weight.shape[1]] *= 30
                found += 1
    need(found > 0, "attention")
    return setup


def deep_graph(setup: Setup) -> Setup:
    """Sixteen graph convolutions without skips: all nodes look alike."""
    need(setup.family == "gcn" and setup.build_model is not None, "a graph net")
    assert setup.build_model is not None
    return with_model(setup, setup.build_model(depth=16), head="layers.15")


def smoothed_features(setup: Setup) -> Setup:
    """The adjacency is applied thirty times in every layer."""
    need(setup.family == "gcn", "a graph net")
    adjacency: Any = setup.model.get_buffer("adjacency")
    with torch.no_grad():
        adjacency.copy_(torch.linalg.matrix_power(adjacency, 30))
    return setup


FRESH = tuple(family for family in ALL if family not in ("lora", "rnn", "diffusion"))  # biases, gates or loaded weights save those
FLAT = tuple(family for family in ALL if family not in ("gcn",))
FAULTS = (
    Fault("M01", "ten_sigmoid_layers", deep_sigmoid, ALL),
    Fault("M01", "small_normal", deep_small_normal, ALL, alike=("M05",)),
    Fault("M01", "sigmoids_all_over", sigmoids_all_over, ("mlp", "gcn"), base={"depth": 8}),
    Fault("M02", "gain_3", deep_gain, ALL, alike=("M05", "O01")),
    Fault("M02", "residual_growth", residual_growth, ALL, alike=("M05", "O01")),
    Fault("M02", "relu_recurrence", relu_recurrence, ("rnn",), alike=("O01",)),
    Fault("M03", "bias_minus_10", dead_layer, ALL),
    Fault("M03", "all_biases_minus_5", dead_biases, RELUS),
    Fault("M03", "negated_input", negated_input, ALL),
    Fault("M04", "all_zero", all_zero, FRESH, stage="S"),
    Fault("M04", "all_constant", all_constant, FRESH, stage="S"),
    Fault("M04", "both_factors_zero", zero_lora, ("lora",), stage="S"),
    Fault("M04", "layer_and_head_zero", one_layer_zero, ALL, stage="S"),
    Fault("M05", "x10", scaled_weights(10.0), ALL, alike=("M02", "M06")),
    Fault("M05", "div30", scaled_weights(1 / 30), ("mlp", "gcn"), base={"depth": 6}, alike=("M01",)),
    Fault("M05", "div30_pictures", scaled_weights(1 / 30), ("cnn_bn",), base={"depth": 5, "norm": "none"}, alike=("M01",)),
    Fault("M05", "unit_normal", unit_normal, ALL, alike=("M02", "M06")),
    Fault("M05", "head_x100", loud_head, ALL),
    Fault("M06", "weights_x50", saturated_tanh, ALL, alike=("M05",)),
    Fault("M06", "steep", steep_activations, ("mlp", "cnn_bn", "resnet", "autoencoder", "vae", "unet", "diffusion", "gcn")),
    Fault("M06", "sigmoid_bias_12", shifted_sigmoid, ALL),
    Fault("M14", "dropout_95", dropout_95, ALL, stage="L"),
    Fault("M14", "dropout_after_each", dropout_after_each, ("mlp", *RELUS[1:], "diffusion"), base={"depth": 3}, stage="L"),
    Fault("M14", "dropout_on_logits", dropout_on_logits, ALL, stage="L"),
    Fault("M14", "squares_in_loss", squares_in_loss, FLAT, alike=("L10", "O04"), stage="L"),
    Fault("M17", "queries_x30", loud_attention, ("encoder", "vit", "gpt"), alike=("M05",), stage="L"),
    Fault("M19", "depth_16", deep_graph, ("gcn",), alike=("M01",), stage="L"),
    Fault("M19", "adjacency_30", smoothed_features, ("gcn",), stage="L"),
)
