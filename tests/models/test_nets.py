"""The networks themselves: counts, shapes and signals as their papers and textbooks have them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from leadline.models import build
from leadline.models.nets.network import Network
from leadline.models.nets.parts import DropPath, image_norm, row_norm
from leadline.models.nets.tabm import TabMNet, number_embeddings
from leadline.models.nets.wrapped import last_layer
from leadline.record.ports import Classes, Images, Rows, Values

DIGITS = Images(1, 28, 28)


def _count(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def test_the_textbook_perceptron_has_535818_weights() -> None:
    assert _count(build.build("mlp", {"hidden": [512, 256]}, DIGITS, Classes(10), seed=0)) == 535_818


def test_softmax_regression_on_digits_has_7850_weights() -> None:
    assert _count(build.build("linear", {}, DIGITS, Classes(10), seed=0)) == 7_850


def test_lenet5_has_the_papers_60000_weights_before_its_head() -> None:
    model = build.build("lenet5", {}, DIGITS, Classes(10), seed=0)
    assert isinstance(model, Network)
    assert _count(model) - _count(model.head) == 60_000


@pytest.mark.parametrize("size", [(16, 12), (28, 28), (32, 32), (40, 64)])
def test_lenet5_takes_images_of_any_size(size: tuple[int, int]) -> None:
    model = build.build("lenet5", {}, Images(3, *size), Classes(4), seed=0)
    assert model(torch.randn(2, 3, *size)).shape == (2, 4)


@pytest.mark.parametrize("depth", [2, 10])
def test_he_initialisation_keeps_the_signal_through_relu_layers(depth: int) -> None:
    model = build.build("mlp", {"hidden": [512] * depth, "init": "he", "dropout": 0.0}, Rows(512), Classes(10), seed=0)
    spreads: list[float] = []
    for module in model.modules():
        if isinstance(module, nn.Linear) and module is not model.head:
            module.register_forward_hook(lambda module, inputs, output: spreads.append(output.std().item()))
    with torch.no_grad():
        model(torch.randn(256, 512, generator=torch.Generator().manual_seed(0)), torch.zeros(256, 0, dtype=torch.int64))
    assert len(spreads) == depth
    assert all(0.5 <= spread / math.sqrt(2) <= 2 for spread in spreads)


def test_xavier_initialisation_has_glorots_spread() -> None:
    model = build.build("mlp", {"hidden": [400], "init": "xavier", "activation": "sigmoid"}, Rows(200), Classes(2), seed=0)
    first = next(module for module in model.modules() if isinstance(module, nn.Linear))
    assert first.weight.std().item() == pytest.approx(math.sqrt(2 / 600), rel=0.05)
    assert not first.bias.any()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh", "elu", "gelu", "silu"])
@pytest.mark.parametrize("init", ["default", "xavier", "he"])
def test_every_activation_goes_with_every_initialisation(activation: str, init: str) -> None:
    model = build.build("mlp", {"hidden": [8], "activation": activation, "init": init}, Rows(3), Values(1), seed=0)
    assert model(torch.randn(4, 3), torch.zeros(4, 0, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group", "rms"])
@pytest.mark.parametrize("residual", [False, True])
def test_every_norm_works_with_and_without_residuals(norm: str, residual: bool) -> None:
    rows = build.build("mlp", {"hidden": [12, 12, 7], "norm": norm, "residual": residual}, Rows(3), Values(1), seed=0)
    assert rows(torch.randn(4, 3), torch.zeros(4, 0, dtype=torch.int64)).shape == (4, 1)
    for name, widths in (("cnn", [6, 12, 7]), ("resnet_small", [6, 12, 7])):
        images = build.build(name, {"widths": widths, "norm": norm}, DIGITS, Classes(3), seed=0)
        assert images(torch.randn(2, 1, 28, 28)).shape == (2, 3)


def test_norms_bring_features_to_mean_0_or_size_1() -> None:
    x_BD, x_BCHW = torch.randn(64, 16) * 5 + 2, torch.randn(8, 16, 4, 4) * 5 + 2
    assert row_norm("layer", 16)(x_BD).mean(dim=1).abs().max() < 1e-5
    assert torch.allclose(row_norm("rms", 16)(x_BD).square().mean(dim=1), torch.ones(64), atol=1e-3)
    assert torch.allclose(image_norm("rms", 16)(x_BCHW).square().mean(dim=1), torch.ones(8, 4, 4), atol=1e-3)
    assert image_norm("layer", 16)(x_BCHW).mean(dim=(1, 2, 3)).abs().max() < 1e-5


def test_embedded_and_one_hot_categories_differ_in_width_not_in_output() -> None:
    port = Rows(2, (9, 3))
    inputs = (torch.randn(4, 2), torch.tensor([[0, 0], [8, 2], [1, 1], [3, 0]]))
    for categories, width in (("one_hot", 2 + 12), ("embed", 2 + 5 + 2)):
        model = build.build("mlp", {"hidden": [4], "categories": categories}, port, Classes(3), seed=0)
        assert model.encoder.width == width
        assert model(*inputs).shape == (4, 3)


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25).train()
    out = drop(torch.ones(4000, 3, 2))
    per_sample = out.flatten(1)
    assert torch.equal(per_sample.amin(dim=1), per_sample.amax(dim=1))
    assert out.mean().item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(drop.eval()(torch.ones(5, 3)), torch.ones(5, 3))


def _tabm(gives: Classes | Values, rows: Rows | None = None) -> TabMNet:
    port = rows or Rows(2, (4,), bins=((-1.0, 0.0, 1.0), (-1.0, 1.0)))
    model = build.build("tabm", {"k": 3, "width": 8, "embedding": 4}, port, gives, seed=0)
    assert isinstance(model, TabMNet)
    return model


def test_the_ensemble_of_classifiers_is_the_mean_probability() -> None:
    model = _tabm(Classes(5))
    inputs = (torch.randn(6, 2), torch.randint(4, (6, 1)))
    model.eval()
    members_BKC = model.net(*inputs)
    assert members_BKC.shape == (6, 3, 5)
    assert torch.allclose(model(*inputs).exp(), members_BKC.softmax(dim=-1).mean(dim=1), atol=1e-6)
    assert torch.allclose(model(*inputs).softmax(dim=-1), members_BKC.softmax(dim=-1).mean(dim=1), atol=1e-6)


def test_the_ensemble_of_regressors_is_the_mean() -> None:
    model = _tabm(Values(1)).eval()
    inputs = (torch.randn(6, 2), torch.randint(4, (6, 1)))
    assert torch.allclose(model(*inputs), model.net(*inputs).mean(dim=1))


def test_members_are_told_apart_from_the_start() -> None:
    outputs_BKC = _tabm(Values(1)).train()(torch.randn(6, 2), torch.randint(4, (6, 1)))
    assert outputs_BKC.shape == (6, 3, 1)
    assert not torch.allclose(outputs_BKC[:, 0], outputs_BKC[:, 1])


@pytest.mark.parametrize("bins", [(), ((0.0,), (1.0, 1.0)), ((-1.0, 1.0), (-1.0, 0.0, 1.0)), (tuple(float(i) for i in range(500)),) * 2])
def test_any_quantiles_make_finite_embeddings_of_at_most_the_bins_asked_for(bins: tuple[tuple[float, ...], ...]) -> None:
    embeddings = number_embeddings(Rows(2, bins=bins), width=4, bins=16)
    assert embeddings is not None
    out = embeddings(torch.tensor([[-3.0, 3.0], [0.0, 1.0]]))
    assert out.shape == (2, 2, 4)
    assert out.isfinite().all()
    assert embeddings.impl.get_max_n_bins() <= 16


def test_the_head_of_a_library_network_is_its_last_layer() -> None:
    model = build.build("torchvision/squeezenet1_1", {}, Images(3, 32, 32), Classes(7), seed=0)
    assert isinstance(model, Network)
    name, layer = last_layer(model)
    assert model.head is layer
    assert name == "net.classifier.1"
    assert layer.weight.shape[0] == 7


def test_a_distilled_transformer_has_two_heads() -> None:
    model = build.build("timm/deit_tiny_distilled_patch16_224", {}, Images(3, 32, 32), Classes(3), seed=0)
    assert isinstance(model, Network)
    assert {name.split(".")[1] for name in model.stages()[-1]} == {"head", "head_dist"}
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize("name", ["timm/poolformerv2_s12", "timm/test_mambaout"])
def test_networks_that_tell_no_groups_are_read_off_their_modules(name: str) -> None:
    model = build.build(name, {}, Images(3, 32, 32), Classes(3), seed=0)
    assert isinstance(model, Network)
    stages = model.stages()
    assert sorted(label for stage in stages for label in stage) == sorted(label for label, _ in model.named_parameters())
    assert len(stages) > 3
