"""Arrays, frames and torch datasets in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from leadline.base.errors import InputError
from leadline.data.settings import DataSpec
from leadline.data.source import Examples, recognise
from leadline.data.sources.memory import Memory

LABELS = np.array([0, 1] * 10)


def opened(data: Any, **settings: Any) -> Examples:
    found = recognise(data)
    assert found.name == "memory"
    return found.source.open(data, DataSpec(**settings))


def refused(data: Any, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        opened(data, **settings)
    return caught.value.code


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_the_tiny_example_is_a_table(tmp_path: Path) -> None:
    examples = opened(Memory.tiny(tmp_path))
    assert (examples.facts.kind, len(examples), examples.facts.classes) == ("table", 178, ("0", "1", "2"))


def test_rows_become_columns_by_number() -> None:
    values = np.random.default_rng(0).standard_normal((20, 3))
    for x, y in (
        (values, LABELS),
        (torch.from_numpy(values), torch.from_numpy(LABELS)),
        (values, LABELS[:, None]),
        (values.tolist(), LABELS.tolist()),
    ):
        examples = opened((x, y))
        assert [column.name for column in examples.facts.columns] == ["column_0", "column_1", "column_2", "target"]
        assert np.array_equal(examples.fetch(np.arange(20)).to_numpy(), values)
        assert examples.facts.classes == ("0", "1")


def test_one_hot_targets_are_classes() -> None:
    assert opened((np.random.default_rng(0).standard_normal((20, 3)), np.eye(2)[LABELS])).facts.class_counts == (10, 10)


def test_a_frame_needs_no_more_than_its_target() -> None:
    frame = pd.DataFrame({"size": np.arange(20) * 0.7, "mood": ["up", "down"] * 10, "mixed": [1, "x"] * 10, "label": LABELS})
    examples = opened(frame, target="mood")
    assert (examples.facts.target, examples.facts.classes) == ("mood", ("down", "up"))
    assert examples.fetch(np.arange(2))["mixed"].tolist() == ["1", "x"]
    assert refused(frame, target="moot") == "LL017"


def test_a_pair_of_a_frame_and_a_series_keeps_the_column_names() -> None:
    x = pd.DataFrame({"size": np.arange(20) * 0.7, "target": np.arange(20) * 0.1})
    examples = opened((x, pd.Series(LABELS, name="label")))
    assert [column.name for column in examples.facts.columns] == ["size", "target", "y"]
    assert examples.facts.target == "y"


def test_a_dict_is_columns_or_a_pair_or_sides() -> None:
    columns = opened({"size": np.arange(20) * 0.7, "label": LABELS})
    assert columns.facts.target == "label"
    pair = opened({"x": np.random.default_rng(0).standard_normal((20, 3)), "y": LABELS})
    assert pair.facts.target == "target"
    values = np.random.default_rng(0).standard_normal((20, 3))
    sides = opened({"train": (values, LABELS), "test": (values[:6], LABELS[:6])})
    assert sides.facts.given_split == {"train": 20, "test": 6}


@pytest.mark.parametrize(
    ("shape", "stored"),
    [
        ((20, 6, 5), (6, 5, 1)),
        ((20, 6, 5, 3), (6, 5, 3)),
        ((20, 3, 6, 5), (6, 5, 3)),
        ((20, 1, 6, 5), (6, 5, 1)),
        ((20, 6, 5, 4), (6, 5, 3)),
    ],
)
def test_pictures_are_known_by_their_shape(shape: tuple[int, ...], stored: tuple[int, ...]) -> None:
    examples = opened((pixels(*shape), LABELS))
    assert examples.facts.kind == "images"
    assert examples.fetch(np.array([3]))[0].shape == stored
    assert any("pictures" in guess.what for guess in examples.facts.guesses)


def test_channels_move_to_the_end_unchanged() -> None:
    x = pixels(20, 3, 6, 5)
    assert np.array_equal(opened((x, LABELS)).fetch(np.array([4]))[0], x[4].transpose(1, 2, 0))


@pytest.mark.parametrize(("factor", "words"), [(1 / 255, "times 255"), (1.0, "rounded")])
def test_floats_of_a_known_range_become_the_same_bytes(factor: float, words: str) -> None:
    x = pixels(20, 6, 5)
    examples = opened((x * factor, LABELS))
    assert np.array_equal(examples.fetch(np.arange(20))[..., 0], x)
    assert any(words in guess.evidence for guess in examples.facts.guesses)


def test_standardised_pictures_are_stretched_and_said() -> None:
    examples = opened((np.random.default_rng(0).standard_normal((20, 6, 5)), LABELS))
    found = examples.fetch(np.arange(20))
    assert (found.min(), found.max()) == (0, 255)
    assert any("stretched" in guess.evidence for guess in examples.facts.guesses)


class Pairs(Dataset[Any]):
    def __init__(self, examples: list[Any], labels: list[Any]) -> None:
        self.examples, self.labels = examples, labels

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.examples[index], self.labels[index]


def test_torch_datasets_of_all_kinds_of_items_open() -> None:
    x = pixels(20, 6, 5, 3)
    names = ["cat" if label else "dog" for label in LABELS]
    kinds = {
        "images": [
            Pairs([Image.fromarray(picture) for picture in x], names),
            Pairs([torch.from_numpy(picture).permute(2, 0, 1) for picture in x], [torch.tensor(label) for label in LABELS]),
            TensorDataset(torch.from_numpy(x), torch.from_numpy(LABELS)),
        ],
        "table": [Pairs(list(np.random.default_rng(0).standard_normal((20, 4))), LABELS.tolist())],
    }
    for kind, datasets in kinds.items():
        for dataset in datasets:
            examples = opened(dataset)
            assert (examples.facts.kind, len(examples), len(examples.facts.classes)) == (kind, 20, 2)
            if kind == "images":
                assert np.array_equal(examples.fetch(np.array([2]))[0], x[2])


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield from ()


def test_what_does_not_fit_together_is_refused() -> None:
    x = np.random.default_rng(0).standard_normal((20, 3))
    assert refused((x, LABELS[:7])) == "LL030"
    assert refused((np.zeros((20, 2, 2, 2, 2)), LABELS)) == "LL004"
    assert refused((pixels(20, 6, 5, 7), LABELS)) == "LL013"
    assert refused((pixels(20, 6, 5), LABELS + 0.5)) == "LL014"
    assert refused((np.full((20, 6, 5), np.nan), LABELS)) == "LL003"
    assert refused({"a": x[:, 0], "b": LABELS[:3]}) == "LL013"
    assert refused(Endless()) == "LL004"
    assert refused(Pairs([], [])) == "LL002"
    assert refused(Pairs([np.zeros(2), np.zeros(3)], [0, 1])) == "LL013"


def test_paths_are_not_for_memory() -> None:
    assert Memory.recognises("data.csv") is None
    assert Memory.recognises(Path("data.csv")) is None
