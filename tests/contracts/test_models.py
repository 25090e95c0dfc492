"""What holds for every model on the shelf: each file of models/zoo is built tiny for every pair of ports it claims."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.base.find import find, names
from leadline.models import adapt, build
from leadline.models.libraries import LIBRARIES
from leadline.models.nets.network import Network
from leadline.models.summary import summary
from leadline.record.ports import Classes, Embeddings, Frames, Images, NextTokens, PlaceClasses, Port, Rows, TokenPairs, Tokens, Values

TAKES: dict[str, Port] = {
    "grey": Images(1, 28, 28),
    "colour": Images(3, 32, 32),
    "rows": Rows(3, (4, 3), bins=((-1.5, -0.5, 0.0, 0.5, 1.5), (-1.0, 1.0), (-2.0, 0.0, 2.0))),
    "numbers": Rows(3),
    "categories": Rows(0, (4, 3)),
    "tokens": Tokens(20, 12),
    "pairs": TokenPairs(20, 12, 9),
    "frames": Frames(3, 12),
}
GIVES: dict[str, Port] = {
    "classes": Classes(5),
    "values": Values(1),
    "places": PlaceClasses(4),
    "next": NextTokens(20),
    "vectors": Embeddings(6),
}
SEQUENCES = (Tokens, TokenPairs, Frames)


def _cases() -> list[Any]:
    parts = {name: find("models.zoo", name) for name in names("models.zoo")}
    return [
        pytest.param(name, takes, gives, id=f"{name}-{how}-{what}")
        for name, part in parts.items()
        for how, takes in TAKES.items()
        for what, gives in GIVES.items()
        if isinstance(takes, part.takes) and isinstance(gives, part.gives) and _makes_sense(name, takes, gives)
    ]


def _makes_sense(name: str, takes: Port, gives: Port) -> bool:
    """Of sequences not every pair: frames are followed by no token, pairs are written; a tiny encoder writes nothing."""
    if isinstance(gives, NextTokens):
        return isinstance(takes, Tokens) and name != "transformers"
    return not isinstance(takes, TokenPairs)


def _one_per_model() -> list[Any]:
    """Each model once, on the richest port it takes."""
    rich = (TAKES["colour"], TAKES["rows"], TAKES["tokens"], TAKES["frames"])
    first = (GIVES["next"], GIVES["values"], GIVES["classes"])
    last = {case.values[0]: case for gives in first for case in _cases() if case.values[1] in rich and case.values[2] == gives}
    return list(last.values())


def _name_and_options(name: str) -> tuple[str, dict[str, Any]]:
    tiny = find("models.zoo", name).tiny().model_dump()
    if name in LIBRARIES:
        return f"{name}/{tiny['variant']}", {}
    return name, tiny


def _build(name: str, takes: Port, gives: Port, *, seed: int = 0) -> Network:
    full, options = _name_and_options(name)
    model = build.build(full, options, takes, gives, seed=seed)
    assert isinstance(model, Network)
    return model


def _inputs(takes: Port, *, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    if isinstance(takes, Images):
        return (torch.randn(batch, takes.channels, takes.height, takes.width, generator=generator),)
    if isinstance(takes, Tokens):
        ids = torch.randint(5, takes.vocabulary, (batch, takes.length), generator=generator)
        ids[0, -3:] = takes.padding
        return (ids,)
    if isinstance(takes, Frames):
        lengths = torch.full((batch,), takes.length)
        lengths[0] -= 3
        frames = torch.randn(batch, takes.length, takes.features, generator=generator)
        frames[0, -3:] = 0.0
        return frames, lengths
    assert isinstance(takes, Rows)
    codes = [torch.randint(size, (batch,), generator=generator) for size in takes.category_sizes]
    categories = torch.stack(codes, dim=1) if codes else torch.zeros(batch, 0, dtype=torch.int64)
    return torch.randn(batch, takes.num_numbers, generator=generator), categories


def _loss(outputs: Tensor, gives: Port) -> Tensor:
    """A plain loss on made-up targets; members of an ensemble count as rows."""
    flat = outputs.flatten(0, -2)
    if isinstance(gives, Classes | PlaceClasses | NextTokens):
        return F.cross_entropy(flat, torch.arange(len(flat)) % flat.shape[-1])
    return F.mse_loss(flat, torch.linspace(-1, 1, flat.numel()).view_as(flat))


def _width(gives: Port) -> int:
    if isinstance(gives, Classes | PlaceClasses):
        return gives.num_classes
    return gives.vocabulary if isinstance(gives, NextTokens) else gives.width if isinstance(gives, Embeddings) else 1


def _steps(model: nn.Module, takes: Port, gives: Port, *, count: int) -> None:
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.05, momentum=0.9, weight_decay=0.01)
    model.train()
    for step in range(count):
        optimizer.zero_grad()
        _loss(model(*_inputs(takes, batch=4, seed=step)), gives).backward()
        optimizer.step()


@pytest.mark.parametrize(("name", "takes", "gives"), _cases())
def test_outputs_have_the_shape_of_the_port_in_both_modes(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives)
    inputs = _inputs(takes, batch=2)
    places = (12,) if isinstance(gives, PlaceClasses | NextTokens) else ()
    assert model.eval()(*inputs).shape == (2, *places, _width(gives))
    outputs = model.train()(*inputs)
    assert outputs.shape in ((2, *places, _width(gives)), (2, outputs.shape[1], _width(gives)))


@pytest.mark.parametrize(("name", "takes", "gives"), [case for case in _cases() if isinstance(case.values[1], SEQUENCES)])
def test_padding_has_no_influence(name: str, takes: Port, gives: Port) -> None:
    """Row 0 has three places of padding: cut off, its answer at all real places is the same."""
    if name == "dlinear":
        pytest.skip("its windows are all of one length")
    model = _build(name, takes, gives).eval()
    inputs = _inputs(takes, batch=2)
    short = (inputs[0][:1, :-3], *(part[:1] for part in inputs[1:]))
    with torch.no_grad():
        long, cut = model(*inputs)[:1], model(*short)
    if isinstance(gives, PlaceClasses | NextTokens):
        long = long[:, :-3]
    assert torch.allclose(long, cut, atol=1e-5)


@pytest.mark.parametrize(("name", "takes", "gives"), _cases())
def test_the_gradient_reaches_every_weight(name: str, takes: Port, gives: Port) -> None:
    torch.manual_seed(0)
    model = _build(name, takes, gives)
    _steps(model, takes, gives, count=2)  # some networks begin with branches scaled by 0, which open in the first step
    model.zero_grad()
    _loss(model(*_inputs(takes, batch=16)), gives).backward()
    silent = [label for label, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []


@pytest.mark.parametrize(("name", "takes", "gives"), _cases())
def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives)
    _steps(model, takes, gives, count=2)
    model.eval()
    inputs = _inputs(takes, batch=6)
    with torch.no_grad():
        whole, again = model(*inputs), model(*inputs)
        single = torch.cat([model(*(tensor[row : row + 1] for tensor in inputs)) for row in range(6)])
    assert torch.equal(whole, again)
    assert torch.allclose(whole, single, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "takes", "gives"), _cases())
def test_config_and_weights_give_the_same_model_again(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives, seed=3)
    full, options = _name_and_options(name)
    config = json.loads(json.dumps(build.to_config(full, options, takes, gives)))
    copied = build.from_config(config)
    copied.load_state_dict(model.state_dict())
    inputs = _inputs(takes, batch=2)
    assert torch.equal(model.eval()(*inputs), copied.eval()(*inputs))


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_equal_seeds_give_equal_weights_and_leave_the_generator_alone(name: str, takes: Port, gives: Port) -> None:
    before = torch.get_rng_state()
    first, second = _build(name, takes, gives, seed=1), _build(name, takes, gives, seed=1)
    other = _build(name, takes, gives, seed=2)
    assert torch.equal(before, torch.get_rng_state())
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    draws = any(not torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True))
    assert draws or name == "dlinear"  # which begins as a mean of the past


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_every_weight_stands_in_exactly_one_stage_and_the_head_in_the_last(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives)
    stages = model.stages()
    listed = [label for stage in stages for label in stage]
    assert sorted(listed) == sorted(label for label, _ in model.named_parameters())
    heads = {id(weight) for weight in model.head.parameters()}
    assert {label for label, weight in model.named_parameters() if id(weight) in heads} == set(stages[-1])


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_a_frozen_backbone_stays_bit_equal_and_the_head_learns(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives)
    adapt.freeze_backbone(model)
    before = copy.deepcopy(model.state_dict())
    _steps(model, takes, gives, count=3)
    head = set(model.stages()[-1])
    moved = {label for label, tensor in model.state_dict().items() if not torch.equal(tensor, before[label])}
    assert moved == head


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_activation_checkpointing_changes_neither_gradients_nor_statistics(name: str, takes: Port, gives: Port) -> None:
    plain = _build(name, takes, gives).train()
    saving = copy.deepcopy(plain)
    adapt.checkpoint_activations(saving)
    for model in (plain, saving):
        torch.manual_seed(0)
        _loss(model(*_inputs(takes, batch=4)), gives).backward()
    for (label, one), (_, two) in zip(plain.named_parameters(), saving.named_parameters(), strict=True):
        assert one.grad is not None, label
        assert two.grad is not None, label
        assert torch.equal(one.grad, two.grad), label
    for (label, one), (_, two) in zip(plain.named_buffers(), saving.named_buffers(), strict=True):
        assert torch.equal(one, two), label


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_every_weight_moves_under_activation_checkpointing(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives)
    adapt.checkpoint_activations(model)
    before = {label: weight.detach().clone() for label, weight in model.named_parameters()}
    _steps(model, takes, gives, count=2)
    still = [label for label, weight in model.named_parameters() if torch.equal(weight, before[label])]
    assert still == []


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_the_layer_table_adds_up_and_leaves_the_model_as_it_was(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives).train()
    before, generator = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    told = summary(model, _inputs(takes, batch=2))
    assert sum(row.parameters for row in told.rows) == told.parameters == sum(weight.numel() for weight in model.parameters())
    assert sum(row.flops for row in told.rows) == told.flops > 0
    assert len(told.table().splitlines()) <= 43
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[label]) for label, tensor in model.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.parametrize(("name", "takes", "gives"), _one_per_model())
def test_channels_last_and_bfloat16_give_finite_outputs_close_to_plain_ones(name: str, takes: Port, gives: Port) -> None:
    model = _build(name, takes, gives).eval()
    inputs = _inputs(takes, batch=2)
    with torch.no_grad():
        plain = model(*inputs)
        model = model.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(*inputs).float()
    assert (rough - plain).abs().max() < 0.1 * (1 + plain.abs().max())
