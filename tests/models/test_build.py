"""Names become networks; wrong names, settings and ports are refused with the nearest right one, and without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from leadline.base.errors import InputError
from leadline.models import build
from leadline.models.libraries import library_names
from leadline.record.ports import Classes, Images, Rows, Values

SMALL = Images(3, 32, 32)
DIGITS = Images(1, 28, 28)


def test_the_names_read_from_source_are_those_the_libraries_list() -> None:
    import timm
    import torchvision

    assert library_names("timm") == set(timm.list_models())
    assert library_names("torchvision") == set(torchvision.models.list_models(module=torchvision.models))


def test_names_and_settings_are_checked_without_importing_torch() -> None:
    code = (
        "import sys; from leadline.models import build\n"
        "for name in ('mlp', 'cnn', 'tabm', 'timm/resnet18', 'torchvision/alexnet', 'convnext_tiny'): build.validate(name, {}, 'model')\n"
        "print(sorted({'torch', 'timm', 'torchvision', 'tabm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("cnn", "cnn"),
        ("resnet18", "timm/resnet18"),
        ("resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("efficientnet_b0", "timm/efficientnet_b0"),
        ("mobilenetv3_small_100", "timm/mobilenetv3_small_100"),
        ("convnext_atto", "timm/convnext_atto"),
        ("convnext_tiny", "timm/convnext_tiny"),
        ("vgg11", "timm/vgg11"),
        ("vit_tiny_patch16_224", "timm/vit_tiny_patch16_224"),
        ("deit_tiny_distilled_patch16_224", "timm/deit_tiny_distilled_patch16_224"),
        ("swin_tiny_patch4_window7_224", "timm/swin_tiny_patch4_window7_224"),
        ("alexnet", "torchvision/alexnet"),
        ("googlenet", "torchvision/googlenet"),
        ("torchvision/resnet18", "torchvision/resnet18"),
    ],
)
def test_a_name_resolves_to_the_zoo_then_timm_then_torchvision(name: str, full: str) -> None:
    assert build.full_name(name) == full


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("cnnn", "cnn"),
        ("resnet_smal", "resnet_small"),
        ("tabn", "tabm"),
        ("timm/resnet-18", "resnet18"),
        ("torchvision/alexnett", "alexnet"),
        ("tim/resnet18", "timm"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(InputError) as refused:
        build.resolve(name)
    assert refused.value.code == "LL023"
    assert f"did you mean  {near}  ?" in str(refused.value)


@pytest.mark.parametrize("name", ["timm", "torchvision", "timm/", "/resnet18", "", "os.path", "timm/../../etc", "hf-hub:a/b"])
def test_what_is_no_name_of_a_network_is_refused(name: str) -> None:
    with pytest.raises(InputError) as refused:
        build.resolve(name)
    assert refused.value.code == "LL023"


def test_an_unknown_tag_of_weights_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no weights called") as refused:
        build.build("timm/resnet18.a1_in1", {}, SMALL, Classes(2), seed=0)
    assert refused.value.code == "LL023"
    assert "resnet18.a1_in1k" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "options", "code", "said"),
    [
        ("mlp", {"hiden": [4]}, "LL021", "hidden"),
        ("mlp", {"dropout": 1.5}, "LL022", "dropout"),
        ("mlp", {"activation": "rellu"}, "LL022", "activation"),
        ("mlp", {"hidden": [0]}, "LL022", "hidden"),
        ("cnn", {"widths": [8, 8]}, "LL022", "widths"),
        ("linear", {"hidden": [8]}, "LL021", "hidden"),
        ("tabm", {"k": 0}, "LL022", "k"),
        ("timm/resnet18", {"drop_paths": 0.1}, "LL021", "drop_path"),
        ("timm/resnet18", {"variant": "resnet50"}, "LL021", "variant"),
        ("timm/resnet18", {"pretrained": True}, "LL021", "pretrained"),
    ],
)
def test_wrong_settings_are_named(name: str, options: dict[str, object], code: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        build.validate(name, options, "recipe.yaml, model")
    assert refused.value.code == code
    assert said in str(refused.value)


def test_a_model_that_does_not_take_the_data_is_refused_with_those_that_do() -> None:
    with pytest.raises(InputError) as refused:
        build.build("cnn", {}, Rows(3), Classes(2), seed=0)
    assert refused.value.code == "LL030"
    assert "linear, mlp, tabm" in str(refused.value)
    with pytest.raises(InputError, match="takes rows") as refused:
        build.build("tabm", {}, SMALL, Values(1), seed=0)
    assert "torchvision/NAME" in str(refused.value)


@pytest.mark.parametrize(("name", "side"), [("cnn", 7), ("resnet_small", 8)])
def test_images_too_small_for_the_halvings_are_refused(name: str, side: int) -> None:
    with pytest.raises(InputError, match="too small") as refused:
        build.build(name, {}, Images(1, side, 40), Classes(2), seed=0)
    assert refused.value.code == "LL022"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("torchvision/shufflenet_v2_x0_5", "dropout"),
        ("torchvision/shufflenet_v2_x0_5", "drop_path"),
        ("torchvision/mobilenet_v3_small", "drop_path"),
    ],
)
def test_a_setting_the_library_network_lacks_is_refused(name: str, key: str) -> None:
    with pytest.raises(InputError, match=f"has no {key}") as refused:
        build.build(name, {key: 0.1}, SMALL, Classes(2), seed=0)
    assert refused.value.code == "LL022"


def test_stochastic_depth_and_dropout_reach_a_network_of_timm() -> None:
    model = build.build("timm/test_vit", {"drop_path": 0.2, "dropout": 0.3}, SMALL, Classes(2), seed=0)
    kinds = {type(module).__name__: module for module in model.modules()}
    assert "DropPath" in kinds
    assert any(isinstance(module, torch.nn.Dropout) and module.p == 0.3 for module in model.modules())


def test_a_network_for_one_size_gets_images_scaled_to_it_or_is_built_for_the_size_asked() -> None:
    scaled = build.build("timm/test_vit", {}, SMALL, Classes(2), seed=0)
    rebuilt = build.build("timm/test_vit", {"size": 64}, SMALL, Classes(2), seed=0)
    assert scaled.size == (160, 160)
    assert rebuilt.size == (64, 64)
    assert rebuilt(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


def test_small_images_are_enlarged_only_where_the_network_needs_it() -> None:
    fits = build.build("torchvision/shufflenet_v2_x0_5", {}, DIGITS, Classes(2), seed=0)
    needs = build.build("torchvision/squeezenet1_1", {}, Images(1, 12, 16), Classes(2), seed=0)
    assert fits.size is None
    assert needs.size == (32, 43)
    assert needs.eval()(torch.zeros(2, 1, 12, 16)).shape == (2, 2)


def test_a_network_of_torchvision_refuses_five_channels() -> None:
    with pytest.raises(InputError, match="1 or 3 channels") as refused:
        build.build("torchvision/shufflenet_v2_x0_5", {}, Images(5, 32, 32), Classes(2), seed=0)
    assert refused.value.code == "LL022"


def test_published_weights_are_refused_where_there_are_none() -> None:
    with pytest.raises(InputError, match="no published weights") as refused:
        build.build("cnn", {}, SMALL, Classes(2), seed=0, pretrained=True)
    assert refused.value.code == "LL022"


@pytest.mark.parametrize("name", ["timm/test_resnet", "torchvision/shufflenet_v2_x0_5"])
def test_without_a_network_published_weights_end_in_one_clear_error(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="could not be downloaded") as refused:
        build.build(name, {}, SMALL, Classes(2), seed=0, pretrained=True)
    assert refused.value.code == "LL006"


def test_the_config_writes_defaults_out_and_never_asks_for_weights() -> None:
    config = build.to_config("resnet18", {}, SMALL, Classes(2))
    assert config["name"] == "timm/resnet18"
    assert config["options"] == {"drop_path": None, "dropout": None, "size": None}
    assert build.to_config("mlp", {"hidden": [8]}, Rows(2), Values(1))["options"]["activation"] == "relu"
