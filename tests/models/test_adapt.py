"""Freezing, thawing, learning rates by depth, what decays, and saving memory."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from leadline.models import adapt, build
from leadline.models.nets.network import Network
from leadline.record.ports import Classes, Images, Rows, Values

SMALL = Images(3, 32, 32)


def _model(name: str, **options: object) -> Network:
    takes = Rows(2, (4,), bins=((-1.0, 0.0, 1.0),) * 2) if name in ("tabm", "mlp") else SMALL
    model = build.build(name, options, takes, Classes(5), seed=0)
    assert isinstance(model, Network)
    return model


def _learning(model: nn.Module) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def _step(model: nn.Module) -> None:
    loss = F.cross_entropy(model(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))), torch.arange(4))
    loss.backward()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.grad is not None:
                weight -= 0.1 * weight.grad
                weight.grad = None


@pytest.mark.parametrize("wrap", [lambda model: model, nn.Sequential, copy.deepcopy])
def test_frozen_batch_norm_rests_whoever_asks_for_training_mode(wrap) -> None:
    model = _model("resnet_small", widths=[4, 8])
    adapt.freeze_backbone(model)
    outer = wrap(model)
    outer.eval()
    outer.train()
    before = copy.deepcopy(outer.state_dict())
    _step(outer)
    moved = {name.split(".")[-2] for name, tensor in outer.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"output"}
    assert not any(module.training for module in outer.modules() if isinstance(module, nn.BatchNorm2d))


def test_dropout_before_the_head_stays_on_and_inside_the_frozen_part_goes_off() -> None:
    model = _model("cnn", dropout=0.5)
    adapt.freeze_backbone(model.train())
    assert model.get_submodule("dropout").training
    deep = _model("mlp", hidden=[8, 8], dropout=0.5)
    adapt.freeze_backbone(deep.train())
    assert not any(module.training for module in deep.modules() if isinstance(module, nn.Dropout))


@pytest.mark.parametrize("name", ["cnn", "resnet_small", "tabm", "timm/test_vit", "timm/test_convnext", "torchvision/shufflenet_v2_x0_5"])
def test_stages_thaw_deepest_first_as_a_function_of_the_epoch(name: str) -> None:
    model = _model(name)
    stages = model.stages()
    for epoch in range(2 * len(stages) + 2):
        thawed = min(len(stages), 1 + epoch // 2)
        adapt.unfrozen_at(model, epoch, every=2)
        assert _learning(model) == {label for stage in stages[-thawed:] for label in stage}
    adapt.unfrozen_at(model, 2, every=2)
    assert len(stages) < 3 or _learning(model) == set(stages[-1]) | set(stages[-2])


def test_unfreezing_one_by_one_ends_with_all_and_then_says_so() -> None:
    model = _model("resnet_small", widths=[4, 8, 8])
    adapt.freeze_backbone(model.train())
    order = []
    while thawed := adapt.unfreeze_next(model):
        order.append(list(thawed))
    assert order == model.stages()[-2::-1]
    assert _learning(model) == {name for name, _ in model.named_parameters()}
    assert all(module.training for module in model.modules())


def test_a_thawed_stage_moves_its_weights_and_statistics_again() -> None:
    model = _model("resnet_small", widths=[4, 8])
    adapt.freeze_backbone(model)
    adapt.unfreeze_next(model)
    model.train()
    before = copy.deepcopy(model.state_dict())
    _step(model)
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any("residual_stages" in name and "running_mean" in name for name in moved)
    assert not any(name.startswith("stem") for name in moved)


def test_weights_that_never_learn_by_design_stay_so() -> None:
    model = _model("timm/test_vit")
    model.get_parameter("net.pos_embed").requires_grad_(False)
    model.fixed = frozenset({"net.pos_embed"})
    adapt.freeze_backbone(model)
    while adapt.unfreeze_next(model):
        pass
    assert "net.pos_embed" not in _learning(model)
    assert len(_learning(model)) == len(list(model.parameters())) - 1


def test_learning_rates_shrink_towards_the_input() -> None:
    model = _model("cnn")
    scales = adapt.depth_scales(model, 0.5)
    assert set(scales) == {name for name, _ in model.named_parameters()}
    assert [scales[stage[0]] for stage in model.stages()] == [0.125, 0.25, 0.5, 1.0]


def _of_torchvision(name: str) -> nn.Module:
    """A big network of torchvision without its weights in memory."""
    import torchvision

    with torch.device("meta"):
        return torchvision.models.get_model(name.split("/")[1], weights=None, num_classes=5)


@pytest.mark.parametrize(
    "name",
    ["cnn", "mlp", "tabm", "lenet5", "timm/test_vit", "timm/test_convnext", "torchvision/convnext_tiny", "torchvision/vit_b_16"],
)
def test_norms_biases_tokens_positions_and_scales_do_not_decay(name: str) -> None:
    model = _of_torchvision(name) if name.startswith("torchvision/") else _model(name)
    decayed = adapt.decays(model)
    norms = (nn.LayerNorm, nn.BatchNorm2d, nn.GroupNorm, nn.RMSNorm)
    parts = [(path, part) for path, part in model.named_modules() if isinstance(part, norms)]
    of_norms = {f"{path}.{label}" for path, part in parts for label, _ in part.named_parameters()}
    words = ("bias", "pos_embed", "cls_token", "class_token", "layer_scale", "gamma")
    assert decayed
    assert not decayed & of_norms
    assert [label for label in decayed if any(word in label for word in words) or label.endswith((".r", ".s"))] == []


def test_a_head_of_one_value_decays_too() -> None:
    model = build.build("mlp", {"hidden": [8]}, Rows(3), Values(1), seed=0)
    assert "output.weight" in adapt.decays(model)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("mlp", {"hidden": [8, 8, 8]}, {"hidden.1.linear.weight", "hidden.2.linear.weight"}),
        ("mlp", {"hidden": [8]}, set()),
        ("tabm", {"k": 2, "width": 8}, {"net.backbone.blocks.0.0.weight", "net.backbone.blocks.1.0.weight"}),
        ("cnn", {}, set()),
    ],
)
def test_muon_gets_the_matrices_between_first_stage_and_head(name: str, options: dict[str, object], expected: set[str]) -> None:
    assert adapt.hidden_matrices(_model(name, **options)) == expected


def test_a_transformer_offers_its_attention_and_mlp_matrices_to_muon() -> None:
    model = _model("timm/test_vit")
    matrices = adapt.hidden_matrices(model)
    assert matrices
    assert all(".blocks." in name and name.endswith(".weight") for name in matrices)


def test_a_copy_of_a_checkpointed_model_uses_its_own_weights() -> None:
    model = _model("resnet_small", widths=[4, 8])
    adapt.checkpoint_activations(model)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for weight in copied.parameters():
            weight.zero_()
    image = torch.randn(2, 3, 32, 32)
    assert not copied.train()(image).any()
    assert model.train()(image).any()


def test_checkpointing_saves_what_the_blocks_would_keep() -> None:
    def kept(model: nn.Module) -> int:
        sizes: list[int] = []
        image = torch.randn(8, 3, 32, 32)
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor):
            model(image)
        return sum(sizes)

    plain = _model("resnet_small", widths=[8, 16, 16], depth=2).train()
    saving = copy.deepcopy(plain)
    assert adapt.checkpoint_activations(saving) == 3
    assert kept(saving) < 0.5 * kept(plain)


def test_what_is_no_network_of_ours_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match="before wrapping"):
        adapt.freeze_backbone(nn.Linear(2, 2))


def test_a_compiled_model_can_save_memory_too() -> None:
    plain = _model("resnet_small", widths=[4, 8], dropout=0.0).train()
    saving = copy.deepcopy(plain)
    adapt.checkpoint_activations(saving)
    compiled = torch.compile(saving, backend="aot_eager")
    image = torch.randn(4, 3, 32, 32)
    for model in (plain, compiled):
        model(image).square().sum().backward()
    for (name, one), (_, two) in zip(plain.named_parameters(), saving.named_parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, rtol=1e-4, atol=1e-4), name
    for (name, one), (_, two) in zip(plain.named_buffers(), saving.named_buffers(), strict=True):
        assert torch.allclose(one, two, rtol=1e-5, atol=1e-6), name
