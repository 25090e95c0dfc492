"""torchvision's sets: the library's own loader on files it finds in its cache, and clear words without network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import photo, save

from leadline.base.errors import InputError
from leadline.data.settings import DataSpec
from leadline.data.source import recognise
from leadline.data.sources.torchvision_set import PARTS, TorchvisionSet

datasets = pytest.importorskip("torchvision.datasets")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def test_a_set_in_the_cache_opens_with_its_own_split(tmp_path: Path) -> None:
    target = TorchvisionSet.tiny(tmp_path)
    found = recognise(target)
    examples = found.source.open(target, DataSpec())
    assert found.name == "torchvision_set"
    assert examples.facts.given_split == {"train": 30, "test": 10}
    assert examples.facts.classes == ("0 - zero", "1 - one")
    assert examples.fetch(np.array([0]))[0].shape == (16, 16, 1)


def test_a_set_of_files_is_decoded_by_leadline(tmp_path: Path) -> None:
    root = tmp_path / "datasets" / "imagenette2"
    for code, side in enumerate(("train", "val")):
        for place, word in enumerate(("n01440764", "n02102040")):
            for index in range(3):
                save(photo(100 * code + 10 * place + index), root / side / word / f"{index}.JPEG")
    examples = TorchvisionSet.open("torchvision/Imagenette", DataSpec())
    assert examples.facts.classes == ("English springer", "tench")
    assert examples.facts.given_split == {"train": 6, "val": 6}
    assert examples.names[0] == "imagenette2/train/n01440764/0.JPEG"
    assert examples.fetch(np.array([0]))[0].shape == (48, 64, 3)


def test_without_network_the_error_says_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        TorchvisionSet.open("CIFAR10", DataSpec())
    assert caught.value.code == "LL006"
    assert "CIFAR10" in caught.value.message
    assert len(str(caught.value).splitlines()) <= 6


def test_a_misspelt_set_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        TorchvisionSet.open("torchvision/FashonMNIST", DataSpec())
    assert caught.value.code == "LL023"
    assert "torchvision/FashionMNIST" in (caught.value.help or "")


def test_only_exact_names_and_the_prefix_are_recognised(tmp_path: Path) -> None:
    assert TorchvisionSet.recognises("CIFAR10")
    assert TorchvisionSet.recognises("torchvision/anything")
    for target in ("cifar10", "CIFAR-10", "photos/", 7, Path("CIFAR10")):
        assert TorchvisionSet.recognises(target) is None
    Path("MNIST").mkdir()
    assert TorchvisionSet.recognises("MNIST") is None


def test_a_misspelt_path_is_a_missing_path() -> None:
    with pytest.raises(InputError) as caught:
        recognise("cifar10-foldr")
    assert caught.value.code == "LL001"


def test_every_set_named_is_one_of_torchvision() -> None:
    assert [name for name in PARTS if not hasattr(datasets, name)] == []
