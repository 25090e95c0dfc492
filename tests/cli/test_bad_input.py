"""Wrong input, as people give it: one error of at most six lines, its code, exit code 2, and nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from .calling import call, everything
from .made import pictures, table, text


def _empty_folder() -> list[str]:
    Path("photos/cats").mkdir(parents=True)
    return ["train", "photos"]


def _unreadable_picture() -> list[str]:
    pictures("photos", {"cat": 20, "dog": 20})
    Path("photos/cat/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return ["train", "photos"]


def _flat_pictures() -> list[str]:
    pictures("photos", {"": 20})
    return ["train", "photos"]


def _rows_without_target() -> list[str]:
    return ["train", table(extra="1,2,red,\n3,4,blue,\n"), "target=label"]


def _column_without_values() -> list[str]:
    lines = ["a,b,c"] + [f"{i},{i % 2}," for i in range(40)]
    return ["train", text("rows.csv", "\n".join(lines) + "\n"), "target=c"]


def _other_encoding() -> list[str]:
    lines = ["größe,label"] + [f"{i},{('ja', 'nein')[i % 2]}" for i in range(40)]
    return ["train", text("rows.csv", "\n".join(lines) + "\n"), "data.encoding=ascii"]


def _file_as_folder() -> list[str]:
    return ["train", table(), "target=label", "--out", text("taken.txt", "mine")]


def _read_only_folder() -> list[str]:
    Path("closed").mkdir(mode=0o555)
    return ["train", table(), "target=label", "--out", "closed/run"]


def _folder_of_a_run() -> list[str]:
    return ["train", table(), "--out", str(Path(text("runs/old/run.json", "{}")).parent)]


def _damaged_run() -> list[str]:
    return ["resume", str(Path(text("runs/old/run.json", "{")).parent)]


def _bytes(name: str) -> str:
    Path(name).write_bytes(bytes([0x90, 0x81, 0x8D, 0x41, 0xFF, 0x9D, 0x2C, 0x0A]) * 200)
    return name


Case = tuple[Callable[[], list[str]], set[str], str]
CASES: dict[str, Case] = {
    "a path that is not there": (lambda: ["train", "nowhere/photos"], {"LL001"}, "nowhere/photos"),
    "a recipe that is not there": (lambda: ["train", "nowhere.yaml"], {"LL001"}, "nowhere.yaml"),
    "an empty folder": (_empty_folder, {"LL002"}, "photos"),
    "a picture that cannot be read": (_unreadable_picture, {"LL003"}, "broken.png"),
    "a file of no known kind": (lambda: ["train", text("notes.docx", "words")], {"LL004"}, "notes.docx"),
    "another encoding than was said": (_other_encoding, {"LL005"}, "ascii"),
    "a file where the run's folder should be": (_file_as_folder, {"LL007"}, "taken.txt"),
    "a folder that may not be written": (_read_only_folder, {"LL007"}, "closed"),
    "a folder that holds a run": (_folder_of_a_run, {"LL009"}, "runs/old"),
    "a run that is not there": (lambda: ["resume", "runs/none"], {"LL011"}, "runs/none"),
    "a folder that is no run": (lambda: ["predict", str(Path(text("data/rows.csv", "a,b\n1,2\n")).parent), "x.png"], {"LL011"}, "data"),
    "a run whose record is damaged": (_damaged_run, {"LL011"}, "run.json"),
    "rows of unequal length": (lambda: ["train", table(extra="1,2,red,yes,more,and,more\n")], {"LL013"}, "rows.csv"),
    "pictures without labels": (_flat_pictures, {"LL014"}, "photos"),
    "one class only": (lambda: ["train", pictures("photos", {"cat": 20})], {"LL015"}, "cat"),
    "a class with one example": (lambda: ["train", pictures("photos", {"cat": 20, "dog": 1})], {"LL016"}, "dog"),
    "a misspelt target": (lambda: ["train", table(), "target=lable"], {"LL017"}, "label"),
    "a misspelt column of groups": (lambda: ["train", table(), "target=label", "data.split.by=color"], {"LL017"}, "colour"),
    "rows without a target": (_rows_without_target, {"LL018"}, "label"),
    "a target without any value": (_column_without_values, {"LL019"}, "c"),
    "text where numbers are expected": (lambda: ["train", table(), "target=colour", "data.target_kind=numbers"], {"LL020"}, "colour"),
    "an unknown key": (lambda: ["train", table(), "epoch=3"], {"LL021"}, "train.epochs"),
    "an unknown key deep in a recipe": (
        lambda: ["train", text("recipe.yaml", f"data: {{source: {table()}}}\ntrain:\n  schedule:\n    warm_up: 1\n")],
        {"LL021"},
        "train.schedule.warmup",
    ),
    "an unknown setting of a network": (lambda: ["train", table(), "model=mlp", "model.dropuot=0.1"], {"LL021"}, "model.dropout"),
    "a word for a number": (lambda: ["train", table(), "epochs=many"], {"LL022"}, "whole number"),
    "a number out of range": (lambda: ["train", table(), "lr=-0.1"], {"LL022"}, "above 0"),
    "a device that does not exist": (lambda: ["train", table(), "--device", "gpu"], {"LL035"}, "cpu"),
    "a model that does not exist": (lambda: ["train", table(), "model=resnet81"], {"LL023"}, "did you mean"),
    "a metric that does not exist": (lambda: ["train", table(), "evaluate.metrics=[acuracy]"], {"LL023"}, "accuracy"),
    "a task that does not exist": (lambda: ["train", table(), "task=clasify_table"], {"LL023"}, "classify_table"),
    "a batch larger than the data": (lambda: ["train", table(), "target=label", "batch_size=5000"], {"LL025"}, "5000"),
    "a task for another kind of data": (lambda: ["train", table(), "target=label", "task=classify_images"], {"LL030"}, "classify_images"),
    "a network for another kind of data": (lambda: ["train", table(), "target=label", "model=lenet5"], {"LL030"}, "lenet5"),
    "two values for one key": (lambda: ["train", table(), "epochs=3", "train.epochs=4"], {"LL030"}, "epochs=3"),
    "a seed given twice": (lambda: ["train", table(), "train.seed=1", "--seed", "2"], {"LL030"}, "train.seed=2"),
    "two sources": (lambda: ["train", table(), "data.source=other.csv"], {"LL030"}, "other.csv"),
    "a recipe that is no YAML": (lambda: ["train", text("recipe.yaml", "train: {epochs: 3\n")], {"LL034"}, "recipe.yaml"),
    "a recipe with a key twice": (
        lambda: ["train", text("recipe.yaml", "train: {epochs: 3}\ntrain: {epochs: 4}\n")],
        {"LL034"},
        "'train' twice",
    ),
    "bytes that are no text": (lambda: ["train", _bytes("rows.csv")], {"LL005"}, "neither UTF-8 nor"),
    "a recipe that is a list": (lambda: ["train", text("recipe.yaml", "- data\n")], {"LL034"}, "a list"),
    "no target": (lambda: ["train"], {"LL035"}, "leadline train"),
    "two targets": (lambda: ["train", table(), "photos"], {"LL035"}, "photos"),
    "a misspelt verb": (lambda: ["trian", table()], {"LL035"}, "train"),
    "a path for a verb": (lambda: [table()], {"LL035"}, "leadline train rows.csv"),
    "an option that does not exist": (lambda: ["train", table(), "--devise", "cpu"], {"LL035"}, "--device"),
    "a recipe field with dashes": (lambda: ["train", table(), "--epochs", "3"], {"LL035"}, "epochs=VALUE"),
    "a format that does not exist": (lambda: ["look", table(), "--format", "xml"], {"LL035"}, "json"),
    "a list that does not exist": (lambda: ["list", "modles"], {"LL035"}, "models"),
    "a code that does not exist": (lambda: ["rule", "LL999"], {"LL023"}, "LL9"),
    "nothing to predict": (lambda: ["predict", str(Path(text("runs/old/run.json", "{}")).parent)], {"LL035"}, "INPUT"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_is_refused_in_few_words_and_nothing_is_written(case: str) -> None:
    make, codes, mentioned = CASES[case]
    if case == "a folder that may not be written" and os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    words = make()
    before = everything()
    called = call(*words)
    assert called.code == 2, called.err + called.out
    assert called.err.split("]")[0].removeprefix("error[") in codes, called.err
    assert mentioned in called.err
    assert len(called.err.splitlines()) <= 6
    assert "Traceback" not in called.err
    assert everything() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_where_there_is_none_is_refused() -> None:
    called = call("train", table(), "target=label", "--device", "cuda")
    assert (called.code, called.err[:12]) == (2, "error[LL026]")
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [["train", "nowhere"], ["rule", "LL999"], ["train", "--nonsense"]])
def test_with_json_the_error_is_the_one_object_on_stdout(words: list[str]) -> None:
    import json

    called = call(*words, "--format", "json")
    error = json.loads(called.out)["error"]
    assert set(error) == {"code", "message", "where", "help"}
    assert (called.code, called.err) == (2, "")


def test_a_table_of_a_header_alone_is_refused_by_a_process_that_ends_in_order() -> None:
    words = [sys.executable, "-m", "leadline", "look", text("rows.csv", "a,b,target\n")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)  # a thread left open aborted it at its end
    assert ended.returncode == 2
    assert ended.stderr.startswith("error[LL002]")
    assert "terminate" not in ended.stderr
