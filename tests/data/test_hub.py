"""Sets of the hub: local files through the library's own loader, pictures and tables, and clear words without network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import jpeg_bytes, photo

from leadline.base.errors import InputError
from leadline.data.settings import DataSpec
from leadline.data.source import Examples, recognise
from leadline.data.sources.hub import Hub

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write(root: Path, side: str, columns: dict, features: dict) -> None:
    root.mkdir(exist_ok=True)
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).to_parquet(str(root / f"{side}.parquet"))


def open_local(root: Path, **spec: object) -> Examples:
    return Hub.open(f"hf://{root}", DataSpec(**spec))


def pictures(root: Path, side: str, *, labels: list[int], start: int = 0, broken: int | None = None) -> None:
    packed = [{"bytes": jpeg_bytes(photo(start + i)) if i != broken else b"broken", "path": None} for i in range(len(labels))]
    features = {"img": datasets.Image(), "site": datasets.Value("string"), "fine": datasets.ClassLabel(names=["owl", "cat", "ant"])}
    write(root, side, {"img": packed, "site": [f"s{i % 3}" for i in range(len(labels))], "fine": labels}, features)


def test_pictures_with_class_names_open_with_the_sets_own_split(tmp_path: Path) -> None:
    target = Hub.tiny(tmp_path)
    found = recognise(target)
    examples = found.source.open(target, DataSpec())
    assert found.name == "hub"
    assert examples.facts.kind == "images"
    assert examples.facts.given_split == {"train": 30, "test": 10}
    assert examples.facts.classes == ("green", "red")
    assert examples.names[30] == "test 1"
    assert examples.fetch(np.array([35]))[0].shape == (16, 16, 3)


def test_classes_keep_the_sets_order_and_other_columns_can_group(tmp_path: Path) -> None:
    pictures(tmp_path / "set", "train", labels=[0, 1] * 6)
    pictures(tmp_path / "set", "validation", labels=[1, 0], start=100)
    examples = open_local(tmp_path / "set")
    assert examples.facts.classes == ("owl", "cat")
    assert examples.facts.given_split == {"train": 12, "val": 2}
    assert examples.column("site")[:4].tolist() == ["s0", "s1", "s2", "s0"]
    assert "labels in 'fine'" in examples.facts.guesses[0].what


def test_a_test_part_without_labels_is_told_and_not_used(tmp_path: Path) -> None:
    pictures(tmp_path / "set", "train", labels=[0, 1] * 6)
    pictures(tmp_path / "set", "test", labels=[-1] * 4, start=100)
    examples = open_local(tmp_path / "set")
    assert len(examples) == 12
    assert examples.facts.problems[0].kind == "test_without_labels"


def test_a_broken_picture_is_named_by_part_and_row(tmp_path: Path) -> None:
    pictures(tmp_path / "set", "train", labels=[0, 1] * 6, broken=4)
    with pytest.raises(InputError, match="train 5 is no picture") as caught:
        open_local(tmp_path / "set")
    assert caught.value.code == "LL003"
    assert len(open_local(tmp_path / "set", max_excluded=0.2)) == 11


def test_a_set_without_pictures_opens_as_a_table_with_class_names(tmp_path: Path) -> None:
    features = {"size": datasets.Value("float32"), "shape": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    for side, count in (("train", 40), ("test", 10)):
        columns = {"size": np.linspace(0, 1, count), "shape": ["long", "round"] * (count // 2), "label": [0, 1] * (count // 2)}
        write(tmp_path / "set", side, columns, features)
    examples = open_local(tmp_path / "set", target="label")
    assert examples.facts.kind == "table"
    assert examples.facts.given_split == {"train": 40, "test": 10}
    assert examples.facts.classes == ("no", "yes")
    assert sorted(examples.fetch(np.array([0])).columns) == ["shape", "size"]


def test_an_unclear_or_misspelt_label_column_lists_what_there_is(tmp_path: Path) -> None:
    packed = [{"bytes": jpeg_bytes(photo(i)), "path": None} for i in range(4)]
    features = {"image": datasets.Image(), "kind": datasets.Value("string"), "place": datasets.Value("string")}
    write(tmp_path / "set", "train", {"image": packed, "kind": list("abab"), "place": list("xxyy")}, features)
    with pytest.raises(InputError, match="kind, place") as caught:
        open_local(tmp_path / "set")
    assert caught.value.code == "LL017"
    assert open_local(tmp_path / "set", target="place").facts.classes == ("x", "y")
    with pytest.raises(InputError) as caught:
        open_local(tmp_path / "set", target="plaice")
    assert caught.value.help == "data.target=place"


def test_what_cannot_be_fetched_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_local(tmp_path / "missing")
    assert caught.value.code == "LL006"
    assert len(str(caught.value).splitlines()) <= 6


def test_only_the_prefixes_are_recognised() -> None:
    assert Hub.recognises("hf://org/name")
    assert Hub.recognises("hub/org/name")
    assert Hub.recognises("org/name") is None
    Path("hub/org/name").mkdir(parents=True)
    assert Hub.recognises("hub/org/name") is None
