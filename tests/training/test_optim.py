"""Optimizers by name: who decays, who is stepped by which, and a state that goes through files bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small import CPU, convolutions, perceptron
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from leadline.base.errors import InputError
from leadline.models.nets.columns import encoder
from leadline.models.nets.mlp import MLPNet, Style
from leadline.record.ports import Images, Rows
from leadline.training.optim import Optimizers, build_optimizers
from leadline.training.settings import OptimizerSpec

ALL: list[dict[str, Any]] = [
    {"name": "sgd", "momentum": 0},
    {"name": "sgd"},
    {"name": "sgd", "nesterov": True},
    {"name": "adagrad"},
    {"name": "rmsprop"},
    {"name": "adam"},
    {"name": "adamw"},
    {"name": "muon", "momentum": 0.95, "nesterov": True},
]
BY_NAME = pytest.mark.parametrize("chosen", ALL, ids=lambda chosen: "-".join(map(str, chosen.values())))


def network() -> MLPNet:
    torch.manual_seed(0)
    return MLPNet(encoder(Images(1, 8, 8), "one_hot"), 10, hidden=(32, 32), style=Style(norm="batch"))


def spec(**settings: Any) -> OptimizerSpec:
    return OptimizerSpec.read({"lr": 0.01, "weight_decay": 0.1, **settings}, "test")


def learn(model: nn.Module, optimizers: Optimizers, *, steps: int, start: int = 0) -> None:
    for step in range(start, start + steps):
        generator = torch.Generator().manual_seed(step)
        optimizers.zero_grad()
        optimizers.set_lr(0.01 / (1 + step))
        model(torch.randn(16, 64, generator=generator)).square().mean().backward()
        optimizers.step()


@BY_NAME
def test_every_optimizer_goes_on_bit_for_bit_from_its_state(chosen: dict[str, Any]) -> None:
    one, other = network(), network()
    first, second = (build_optimizers(model, spec(**chosen), device=CPU) for model in (one, other))
    learn(one, first, steps=3)
    other.load_state_dict(one.state_dict())
    tensors, numbers = first.state()
    second.load({name: tensor.clone() for name, tensor in tensors.items()}, numbers)
    learn(one, first, steps=3, start=3)
    learn(other, second, steps=3, start=3)
    assert all(torch.equal(mine, yours) for mine, yours in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("chosen", "plain"),
    [
        ({"name": "sgd"}, lambda groups: torch.optim.SGD(groups, momentum=0.9, fused=True)),
        ({"name": "sgd", "nesterov": True}, lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True)),
        ({"name": "adam"}, lambda groups: torch.optim.Adam(groups, fused=True)),
        ({"name": "adamw"}, lambda groups: torch.optim.AdamW(groups, fused=True)),
        ({"name": "adagrad"}, lambda groups: torch.optim.Adagrad(groups, eps=1e-8, fused=True)),
    ],
)
def test_the_short_way_gives_the_bits_of_the_optimizers_own_step(chosen: dict[str, Any], plain: Any) -> None:
    one, other = network(), network()
    ours = build_optimizers(one, spec(**chosen), device=CPU)
    decayed = [weight for name, weight in other.named_parameters() if weight.ndim > 1]
    rest = [weight for name, weight in other.named_parameters() if weight.ndim == 1]
    theirs = plain([{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}])
    learn(one, ours, steps=6)
    for step in range(6):
        for group in theirs.param_groups:
            group["lr"] = 0.01 / (1 + step)
        theirs.zero_grad()
        other(torch.randn(16, 64, generator=torch.Generator().manual_seed(step))).square().mean().backward()
        theirs.step()
    for mine, yours in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, yours)


def test_who_hooks_all_optimizers_hears_every_step_and_the_short_way_stays_open() -> None:
    heard: list[object] = []
    handles = [
        register_optimizer_step_pre_hook(lambda *arguments: heard.append(("before", arguments[0]))),
        register_optimizer_step_post_hook(lambda *arguments: heard.append(("after", arguments[0]))),
    ]
    unheard, model = network(), network()
    learn(unheard, build_optimizers(unheard, spec(name="adamw"), device=CPU), steps=4)
    optimizers = build_optimizers(model, spec(name="adamw"), device=CPU)
    try:
        heard.clear()
        learn(model, optimizers, steps=4)
    finally:
        for handle in handles:
            handle.remove()
    assert heard == [(when, optimizers.optimizers[0]) for _ in range(4) for when in ("before", "after")]
    assert all(torch.equal(mine, yours) for mine, yours in zip(model.parameters(), unheard.parameters(), strict=True))


def test_weight_decay_skips_norms_and_biases() -> None:
    model = network()
    optimizers = build_optimizers(model, spec(name="adamw"), device=CPU)
    decays = {name: group["weight_decay"] for group in optimizers.param_groups for name in group["names"]}
    assert {name for name, decay in decays.items() if decay} == {"hidden.0.linear.weight", "hidden.1.linear.weight", "output.weight"}
    assert set(decays) == {name for name, _ in model.named_parameters()}


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest() -> None:
    optimizers = build_optimizers(network(), spec(name="muon"), device=CPU)
    taken = {group["algorithm"]: set(group["names"]) for group in optimizers.param_groups if group["algorithm"] == "muon"}
    assert taken == {"muon": {"hidden.1.linear.weight"}}
    assert [type(each).__name__ for each in optimizers.optimizers] == ["AdamW", "Muon"]


def test_muon_without_a_hidden_matrix_is_refused() -> None:
    model = MLPNet(encoder(Rows(4), "one_hot"), 2, hidden=(), style=Style())
    with pytest.raises(InputError, match="no hidden matrix") as caught:
        build_optimizers(model, spec(name="muon"), device=CPU)
    assert caught.value.code == "LL022"


def test_nesterov_without_momentum_is_a_conflict() -> None:
    with pytest.raises(InputError) as caught:
        build_optimizers(perceptron(), spec(name="sgd", nesterov=True, momentum=0), device=CPU)
    assert caught.value.code == "LL030"


def test_each_depth_has_its_share_of_the_rate() -> None:
    optimizers = build_optimizers(network(), spec(name="adamw", depth_decay=0.5), device=CPU)
    optimizers.set_lr(0.8)
    rate = {name: group["lr"] for group in optimizers.param_groups for name in group["names"]}
    assert (rate["output.weight"], rate["hidden.1.linear.weight"], rate["hidden.0.linear.bias"]) == (0.8, 0.4, 0.2)


def test_a_frozen_parameter_waits_and_learns_once_it_is_thawed() -> None:
    model = network()
    optimizers = build_optimizers(model, spec(name="adamw"), device=CPU)
    frozen = model.hidden[0].linear.weight
    frozen.requires_grad_(False)
    before = frozen.clone()
    learn(model, optimizers, steps=3)
    assert torch.equal(frozen, before)
    frozen.requires_grad_(True)
    learn(model, optimizers, steps=3, start=3)
    assert not torch.equal(frozen, before)


@pytest.mark.parametrize("name", ["sgd", "adagrad", "adamw"])
def test_states_follow_their_parameters_into_channels_last(name: str) -> None:
    plain, laid_out = convolutions().double(), convolutions().double()
    first = build_optimizers(plain, spec(name=name), device=CPU)
    second = build_optimizers(laid_out, spec(name=name), device=CPU)
    laid_out.to(memory_format=torch.channels_last)
    second.match_layout()
    for step in range(4):
        images = torch.randn(8, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        for model, optimizers in ((plain, first), (laid_out, second)):
            optimizers.zero_grad()
            model(images.contiguous(memory_format=torch.channels_last) if model is laid_out else images).square().mean().backward()
            optimizers.step()
    for mine, yours in zip(plain.parameters(), laid_out.parameters(), strict=True):
        torch.testing.assert_close(mine, yours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_a_step_that_the_device_leaves_out_changes_nothing(name: str) -> None:
    model = network()
    optimizers = build_optimizers(model, spec(name=name), device=CPU)
    before = [weight.clone() for weight in model.parameters()]
    model(torch.full((4, 64), float("nan"))).sum().backward()
    optimizers.step(torch.ones(()))
    assert all(torch.equal(weight, old) for weight, old in zip(model.parameters(), before, strict=True))
    assert all(bool(tensor.isfinite().all()) for tensor in optimizers.state()[0].values())


def test_the_table_shows_every_group() -> None:
    table = build_optimizers(network(), spec(name="muon"), device=CPU).table()
    assert len(table.splitlines()) == 4
    assert "muon" in table
    assert "hidden.1.linear.weight" in table
