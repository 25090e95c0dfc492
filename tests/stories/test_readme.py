"""The README is true: every command and every block of Python in it runs, in order, in one folder, without a network."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits

from leadline.base.find import find
from leadline.recipe import read

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(README.read_text(encoding="utf-8"))
COMMANDS = [line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line.startswith("$ ")]
STEPS = [
    [sys.executable, "-m", *shlex.split(line[2:])] if kind == "console" else [sys.executable, "-c", text]
    for kind, text in BLOCKS
    if kind in ("console", "python")
    for line in (text.splitlines() if kind == "console" else [text])
    if kind == "python" or line.startswith("$ ")
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README speaks of: pictures of two kinds, and a table of houses (both made from scikit-learn's sets)."""
    folder = tmp_path_factory.mktemp("readme")
    digits = load_digits()
    for name, digit in (("cat", 0), ("dog", 1)):
        (folder / "photos" / name).mkdir(parents=True)
        for i, picture in enumerate(digits.images[digits.target == digit][:60]):
            Image.fromarray((picture * 15).astype(np.uint8)).resize((16, 16)).save(folder / "photos" / name / f"{i}.png")
    rows = load_diabetes(as_frame=True).frame.rename(columns={"target": "price"})
    rows.to_csv(folder / "houses.csv", index=False)
    for source in ("text_table", "text_corpus", "conll", "wav_folder"):
        find("data.sources", source).tiny(folder)
    find("data.sources", "series_table").tiny(folder).rename(folder / "load.csv")
    return folder


@pytest.mark.parametrize("number", range(len(STEPS)), ids=lambda number: shlex.join(STEPS[number][2:])[:60].replace("\n", " "))
def test_the_readme_runs(number: int, place: Path) -> None:
    done = subprocess.run(STEPS[number], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    is_python = STEPS[number][1] == "-c"  # which tells its progress on stderr, so that stdout is the caller's
    assert "Warning" not in done.stderr if is_python else done.stderr == ""


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_the_recipes_of_the_readme_are_recipes(text: str) -> None:
    path = Path("recipe.yaml")
    path.write_text(text, encoding="utf-8")
    assert read(path).data.source == "photos/"


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) > 10


def test_every_command_of_the_readme_is_of_leadline() -> None:
    assert [command for command in COMMANDS if not command.startswith("leadline ")] == []
