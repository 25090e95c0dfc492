"""The model folder: read back it answers the same; damaged it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from leadline.base.errors import InputError
from leadline.data.preparers.rows import RowsPreparer
from leadline.data.settings import DataSpec
from leadline.data.table import open_frame
from leadline.models import build
from leadline.ship.package import FILES, Package, load, save
from leadline.tasks.kinds.classify_table import ClassifyTable

FRAME = pd.DataFrame({"size": np.arange(40.0), "kind": ["x", "y", "z", "x"] * 10, "answer": ["no"] * 20 + ["yes"] * 20})


@pytest.fixture
def package() -> Package:
    examples = open_frame(FRAME, DataSpec(target="answer"), name="made")
    preparer = RowsPreparer.fit(examples, np.arange(40), DataSpec())
    task = ClassifyTable(examples.facts.classes)
    config = build.to_config("mlp", {"hidden": [8]}, preparer.gives, task.gives)
    return Package(build.from_config(config).eval(), preparer, task, {"model": config})


def test_what_is_read_back_answers_the_same(package: Package) -> None:
    with torch.no_grad():
        for weight in package.model.parameters():
            weight.add_(0.1)
    save(Path("model"), package)
    assert sorted(path.name for path in Path("model").iterdir()) == sorted(FILES)
    assert load(Path("model")).predict(FRAME) == package.predict(FRAME)


def test_the_weights_may_be_read_by_others(package: Package) -> None:
    save(Path("model"), package)
    assert (Path("model") / "model.safetensors").stat().st_mode & 0o044


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(package: Package, name: str) -> None:
    save(Path("model"), package)
    (Path("model") / name).unlink()
    with pytest.raises(InputError, match=name) as refused:
        load(Path("model"))
    assert refused.value.code == "LL011"


def test_a_damaged_file_is_refused(package: Package) -> None:
    save(Path("model"), package)
    (Path("model") / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        load(Path("model"))
