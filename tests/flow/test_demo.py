"""The demo keeps its promise: a broken network, named, cured, and good after it, offline and in a minute."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from leadline.flow.demo import FAULT, demo


@pytest.mark.slow
def test_the_demo_names_its_planted_fault_and_cures_it() -> None:
    said: list[str] = []
    started = time.process_time()
    folder = demo(Path("run"), said.append)
    (cure,) = json.loads((folder / "heal.json").read_text())["rounds"]
    assert cure["finding"]["code"] == "O01"
    assert cure["finding"]["confidence"] == "confirmed"
    assert cure["changed"]["train.optimizer.lr"][0] == FAULT["lr"]
    assert cure["helped"]
    assert json.loads((folder / "scores.json").read_text())["test"]["accuracy"] > 0.95
    assert (folder / "plots" / "heal.png").is_file()
    assert sum(line.startswith("predict: ") for line in said) == 3
    assert time.process_time() - started < 60
