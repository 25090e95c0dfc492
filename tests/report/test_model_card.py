"""The model card: Hugging Face can read it, its numbers are the run's, and what nobody measured says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from leadline.report.folder import FILES
from leadline.report.model_card import write_card

from .made import EVIL, classify, regress


def parts(folder: Path) -> tuple[dict[str, object], str]:
    text = write_card(folder).read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return YAML(typ="safe", pure=True).load(front), body


def test_the_front_matter_holds_task_and_scores(tmp_path: Path) -> None:
    front, _ = parts(classify(tmp_path / "run"))
    assert front["pipeline_tag"] == "image-classification"
    assert front["metrics"] == ["accuracy", "ece"]
    result = front["model-index"][0]["results"][0]  # type: ignore[index]
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())["test"]
    assert {entry["type"]: entry["value"] for entry in result["metrics"]}["accuracy"] == pytest.approx(scores["accuracy"], abs=1e-6)


def test_names_are_escaped(tmp_path: Path) -> None:
    _, body = parts(classify(tmp_path / "run"))
    assert EVIL not in body
    assert "\\<script\\>" in body


def test_what_nobody_measured_says_so(tmp_path: Path) -> None:
    _, body = parts(regress(tmp_path / "run"))
    assert "energy: not measured" in body
    assert "robustness to disturbed inputs: not measured" in body
    assert "Beside simpler means: not measured" in body


@pytest.mark.parametrize("name", [*FILES, "predictions", "plots"])
def test_a_missing_file_breaks_nothing(tmp_path: Path, name: str) -> None:
    run = classify(tmp_path / "run")
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    front, body = parts(run)
    assert front["library_name"] == "leadline"
    assert "# " in body
