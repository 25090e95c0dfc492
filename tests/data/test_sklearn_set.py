"""scikit-learn's bundled sets by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leadline.base.errors import InputError
from leadline.data.settings import DataSpec
from leadline.data.source import recognise
from leadline.data.sources.sklearn_set import SklearnSet


def test_digits_are_grey_pictures_of_all_256_levels() -> None:
    examples = recognise("digits").source.open("digits", DataSpec())
    assert (examples.facts.kind, len(examples), examples.facts.classes) == ("images", 1797, tuple("0123456789"))
    picture = examples.fetch(np.array([0]))[0]
    assert (picture.shape, picture.dtype, picture.max()) == ((8, 8, 1), np.uint8, 239)
    assert examples.targets is not None
    assert examples.targets[:3].tolist() == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "rows", "kind"),
    [("iris", 150, "classes"), ("wine", 178, "classes"), ("breast_cancer", 569, "classes"), ("diabetes", 442, "numbers")],
)
def test_the_tables_open_with_every_column_used(name: str, rows: int, kind: str) -> None:
    examples = SklearnSet.open(name, DataSpec())
    assert (len(examples), examples.facts.target, examples.facts.target_kind) == (rows, "target", kind)
    assert all(column.used for column in examples.facts.columns)
    assert sum(examples.facts.class_counts) in (rows, 0)


def test_iris_carries_the_names_of_its_species(tmp_path: Path) -> None:
    assert SklearnSet.open(SklearnSet.tiny(tmp_path), DataSpec()).facts.classes == ("setosa", "versicolor", "virginica")


def test_a_folder_of_the_same_name_goes_first(tmp_path: Path) -> None:
    assert SklearnSet.recognises("wine")
    (tmp_path / "wine").mkdir()
    assert SklearnSet.recognises("wine") is None


def test_other_names_are_refused() -> None:
    assert SklearnSet.recognises("flowers") is None
    with pytest.raises(InputError) as caught:
        SklearnSet.open("flowers", DataSpec())
    assert caught.value.code == "LL023"
