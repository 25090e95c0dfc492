"""One run from data to report: what it writes, what it refuses, and that it can be told to stop and go on to the bit."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from leadline.base.errors import Blocked, InputError, LeadlineError, Stopped
from leadline.flow import course
from leadline.flow import train as story
from leadline.flow.train import check, resume, train
from leadline.recipe import Recipe
from leadline.record.finding import QUESTIONS
from leadline.training.signals import StopFlag

from .made import diabetes, digits, iris, recipe_for, silent

FILES = (
    "run.json",
    "recipe.yaml",
    "facts.json",
    "metrics.jsonl",
    "scores.json",
    "checks.json",
    "findings.json",
    "report.html",
    "README.md",
)


def _train(recipe: Recipe, out: str = "run") -> Path:
    return train(recipe, out=Path(out), device="cpu", command="test", say=silent)


def _json(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text())


def _rows(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "examples_per_s"} for row in rows]


def _weights(folder: Path) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in load_file(folder / "model" / "model.safetensors").items()}


def _equal(first: Path, second: Path) -> bool:
    one, two = _weights(first), _weights(second)
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def test_a_table_of_labels_is_trained_checked_and_reported(tmp_path: Path) -> None:
    folder = _train(recipe_for(iris(tmp_path), epochs=20, train__optimizer__lr=0.02))
    assert all((folder / name).is_file() for name in FILES)
    assert _json(folder, "run.json")["status"] == "finished"
    assert _json(folder, "scores.json")["test"]["accuracy"] >= 0.85
    checks = _json(folder, "checks.json")
    assert tuple(checks) == QUESTIONS
    assert {checks[question]["answer"] for question in QUESTIONS} == {"yes"}


def test_a_regression_is_scored_in_the_targets_own_units(tmp_path: Path) -> None:
    folder = _train(recipe_for(diabetes(tmp_path), epochs=20, train__optimizer__lr=0.01, evaluate__baselines=True))
    scores = _json(folder, "scores.json")
    assert 40 < scores["test"]["rmse"] < scores["baselines"]["majority"]["rmse"] < 100
    assert scores["intervals"]["rmse"][0] < scores["test"]["rmse"] < scores["intervals"]["rmse"][1]
    assert scores["verdict"]


def test_pictures_are_trained_with_augmentation_shown(tmp_path: Path) -> None:
    folder = _train(_pictures(tmp_path))
    assert (folder / "plots" / "augmentation.png").is_file()
    assert (folder / "plots" / "schedule.png").is_file()
    assert list((folder / "plots" / "examples").glob("*.png"))
    assert _json(folder, "facts.json")["split"]["counts"]["test"] > 0


def _pictures(tmp_path: Path) -> Recipe:
    return recipe_for(digits(tmp_path), train__augment={"crop": 1})


def test_the_resolved_recipe_repeats_the_run(tmp_path: Path) -> None:
    from leadline import recipe as recipes

    first = _train(_pictures(tmp_path), "first")
    second = _train(recipes.read(first / "recipe.yaml"), "second")
    assert _equal(first, second)
    assert _rows(first) == _rows(second)
    assert (first / "recipe.yaml").read_text() == (second / "recipe.yaml").read_text()


@pytest.mark.parametrize("after", [1, 4, 7])
def test_a_stopped_run_goes_on_to_the_very_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    recipe = recipe_for(digits(tmp_path), train__augment={"crop": 1, "mixup": 0.2}, model__dropout=0.2, train__ema=0.9)
    whole = _train(recipe, "whole")
    with monkeypatch.context() as patch:
        patch.setattr(story, "StopFlag", lambda: _StopAfter(after))
        with pytest.raises(Stopped):
            _train(recipe, "torn")
    assert _json(Path("torn"), "run.json")["status"] == "stopped"
    torn = resume(Path("torn"), say=silent)
    assert _equal(whole, torn)
    assert _rows(whole) == _rows(torn)
    assert _json(torn, "run.json")["status"] == "finished"


class _StopAfter(StopFlag):
    """A signal that comes at a known step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("stage", ["set_up", "preflight", "conclude"])
def test_a_signal_outside_training_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    recipe = recipe_for(iris(tmp_path), train__threads=1)
    whole = _train(recipe, "whole")
    place = course if stage == "preflight" else story
    real = getattr(place, stage)

    def interrupted(*args: Any, **options: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(place, stage, interrupted)
        with pytest.raises(Stopped) as stopped:
            _train(recipe, "torn")
    assert stopped.value.exit_code == 75
    assert stopped.value.help == "leadline resume torn"
    assert _json(Path("torn"), "run.json")["status"] == "stopped"
    assert _equal(whole, resume(Path("torn"), say=silent))


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    folder = _train(recipe_for(iris(tmp_path)))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert resume(folder, say=silent) == folder
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_changed_recipe_is_refused_with_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_for(iris(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(story, "StopFlag", lambda: _StopAfter(2))
        with pytest.raises(Stopped):
            _train(recipe)
    path = Path("run/recipe.yaml")
    path.write_text(path.read_text().replace("clip_norm: 1.0", "clip_norm: 0.5"))
    with pytest.raises(InputError, match="clip_norm") as refused:
        resume(Path("run"), say=silent)
    assert refused.value.code == "LL012"
    assert _json(Path("run"), "run.json")["status"] == "stopped"
    resume(Path("run"), allow_change=True, say=silent)
    assert any("clip_norm" in change for change in _json(Path("run"), "run.json")["changed"])


def test_leaking_parts_block_and_can_be_accepted(tmp_path: Path) -> None:
    frame = pd.read_csv(iris(tmp_path)).drop_duplicates()
    frame = frame.assign(part=np.where(np.arange(len(frame)) % 3, "train", "val"))
    twins = frame[frame.part == "train"].head(20).assign(part="val")
    pd.concat([frame, twins]).to_csv("twins.csv", index=False)
    recipe = recipe_for("twins.csv", target="species", data__split__own="part")
    with pytest.raises(Blocked, match="contents stand in both"):
        _train(recipe)
    assert _json(Path("run"), "findings.json")[0]["code"] == "D06"
    assert _json(Path("run"), "run.json")["status"] == "failed"
    accepted = recipe_for("twins.csv", target="species", data__split__own="part", check__ignore={"D06": "known"})
    assert _json(_train(accepted, "accepted"), "run.json")["status"] == "finished"


def test_a_rate_beyond_reason_stops_with_the_last_good_state(tmp_path: Path) -> None:
    recipe = recipe_for(diabetes(tmp_path), train__optimizer__lr=1e30, train__optimizer__name="sgd", train__clip_norm=None)
    with pytest.raises(LeadlineError) as stopped:
        _train(recipe)
    assert stopped.value.code == "LL031"
    assert _json(Path("run"), "run.json")["status"] == "failed"
    answers = _json(Path("run"), "checks.json")
    assert list(answers) == list(QUESTIONS)
    assert answers["checkpoint resume tested"]["answer"] == "not examined"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"batch_size": 5000}, "LL025"),
        ({"target": "speces"}, "LL017"),
        ({"task": "classify_images"}, "LL030"),
        ({"evaluate__metrics": ["rmse"]}, "LL022"),
        ({"train__accumulate": 17}, "LL022"),
        ({"train__loss": "mse"}, "LL022"),
        ({"train__augment": {"flip": True}}, "LL030"),
        ({"data__split__by": "colour"}, "LL017"),
        ({"train__oversample": True, "train__class_weights": "balanced"}, "LL030"),
        ({"model__unfreeze_every": 2}, "LL030"),
        ({"model": "lenet5", "model__hidden": None}, "LL021"),
    ],
)
def test_what_cannot_work_is_refused_before_the_folder_exists(tmp_path: Path, changes: dict, code: str) -> None:
    with pytest.raises(InputError) as refused:
        _train(recipe_for(iris(tmp_path), **changes))
    assert refused.value.code == code
    assert not Path("run").exists()


def test_a_set_of_numbers_can_be_asked_for_as_labels_and_back(tmp_path: Path) -> None:
    frame = pd.read_csv(iris(tmp_path)).assign(species=lambda each: each.species.astype("category").cat.codes)
    frame.to_csv("codes.csv", index=False)
    folder = _train(recipe_for("codes.csv", target="species", task="regress_table"))
    assert "rmse" in _json(folder, "scores.json")["test"]


def test_the_check_leaves_no_file(tmp_path: Path) -> None:
    source = digits(tmp_path)
    before = sorted(Path().rglob("*"))
    answers, findings, blocks = check(recipe_for(source), device="cpu", say=silent)
    assert (tuple(answers), findings, blocks) == (QUESTIONS, [], False)
    assert sorted(Path().rglob("*")) == before


def test_the_callers_threads_come_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    _train(recipe_for(iris(tmp_path), train__threads=before + 1))
    assert torch.get_num_threads() == before
