"""A run answers raw input as it was evaluated, from any place and in any order of columns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import leadline
from leadline.base.errors import InputError
from leadline.flow.evaluate import evaluate
from leadline.flow.predict import predict
from leadline.flow.train import train

from .made import digits, iris, recipe_for, silent


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on pictures and one on a table."""
    folder = tmp_path_factory.mktemp("trained")
    for name, source in (("pictures", digits(folder)), ("table", iris(folder))):
        train(recipe_for(source), out=folder / name, device="cpu", command="test", say=silent)
    return folder


def test_columns_go_by_name_and_extra_ones_do_no_harm(place: Path) -> None:
    frame = pd.read_csv(place / "iris.csv")
    frame[frame.columns[::-1]].assign(note="x").to_csv("turned.csv", index=False)
    straight = predict(place / "table", [str(place / "iris.csv")], device="cpu")
    heard: list[str] = []
    turned = predict(place / "table", ["turned.csv"], device="cpu", say=heard.append)
    assert heard == ["turned.csv: 1 column not known from training, and not looked at: note"]
    assert [each["top"] for each in straight] == [each["top"] for each in turned]
    assert turned[0]["id"] == "turned.csv:1"


def test_a_missing_column_is_named(place: Path) -> None:
    pd.read_csv(place / "iris.csv").drop(columns="petal length (cm)").to_csv("short.csv", index=False)
    with pytest.raises(InputError, match="petal length") as refused:
        predict(place / "table", ["short.csv"], device="cpu")
    assert refused.value.code == "LL029"


def test_predictions_equal_those_of_the_evaluation(place: Path) -> None:
    stored = pd.read_parquet(place / "pictures" / "predictions" / "test.parquet")
    said = predict(place / "pictures", [str(place / "digits" / name) for name in stored["name"]], device="cpu")
    assert [each["label"] for each in said] == stored["prediction"].tolist()
    assert np.allclose([each["confidence"] for each in said], stored["confidence"], atol=1e-6)


def test_the_model_folder_alone_answers(place: Path) -> None:
    shutil.copytree(place / "table" / "model", "alone")
    assert predict(Path("alone"), [str(place / "iris.csv")], device="cpu") == predict(
        place / "table", [str(place / "iris.csv")], device="cpu"
    )


def test_scores_are_found_again_on_the_runs_own_parts(place: Path) -> None:
    stored = json.loads((place / "table" / "scores.json").read_text())
    again = evaluate(place / "table", device="cpu", say=silent)
    assert again["test"]["accuracy"] == stored["test"]["accuracy"]
    assert again["test"]["log_loss"] == pytest.approx(stored["test"]["log_loss"], abs=1e-6)


def test_other_data_is_scored_whole(place: Path) -> None:
    found = evaluate(place / "table", str(place / "iris.csv"), device="cpu", say=silent)
    assert 0 <= found["data"]["accuracy"] <= 1


def test_python_takes_rows_frames_and_arrays(place: Path) -> None:
    run = leadline.open_run(place / "table")
    frame = pd.read_csv(place / "iris.csv").drop(columns="species").head(3)
    answers = run.predict(frame)
    assert [each["label"] for each in run.predict(frame.to_dict("records"))] == [each["label"] for each in answers]
    assert [each["label"] for each in run.predict(frame.to_numpy())] == [each["label"] for each in answers]
    assert run.scores["test"]
    assert len(run.checks) == 6
    assert run.metrics[0]["step"] == 1


def test_python_trains_on_arrays_and_predicts_on_them() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 3)).astype(np.float32)
    run = leadline.train(
        (x, (x[:, 0] > 0).astype(int)), model="mlp", epochs=8, lr=0.02, out="memory", quiet=True, evaluate={"baselines": False}
    )
    assert run.scores["test"]["accuracy"] > 0.8
    assert len(run.predict(x[:5])) == 5


@pytest.mark.parametrize(("inputs", "code"), [([], "LL035"), (["nowhere.png"], "LL001")])
def test_wrong_input_is_refused(place: Path, inputs: list[str], code: str) -> None:
    with pytest.raises(InputError) as refused:
        predict(place / "pictures", inputs, device="cpu")
    assert refused.value.code == code
