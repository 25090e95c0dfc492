"""Small real data as users have it: iris and diabetes as CSV files, digits as folders of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits, load_iris

from leadline import recipe as recipes
from leadline.recipe import Recipe

QUICK = {
    "model": "mlp",
    "model.hidden": [16],
    "epochs": 3,
    "batch_size": 16,
    "evaluate.baselines": False,
    "train.precision": "fp32",
    "check.doctor": "watch",  # its look beforehand takes a second and has tests of its own
}


def iris(folder: Path) -> Path:
    """150 flowers, four measures and the species."""
    found = load_iris(as_frame=True)
    frame = found.frame.drop(columns="target").assign(species=found.target_names[found.target])
    path = folder / "iris.csv"
    frame.to_csv(path, index=False)
    return path


def diabetes(folder: Path) -> Path:
    """442 patients, ten measures and the progression."""
    path = folder / "diabetes.csv"
    load_diabetes(as_frame=True).frame.rename(columns={"target": "progression"}).to_csv(path, index=False)
    return path


def digits(folder: Path, *, each: int = 20) -> Path:
    """Three digits as pictures of 8 pixels, one folder per class."""
    found = load_digits()
    root = folder / "digits"
    for digit in (0, 1, 7):
        (root / f"d{digit}").mkdir(parents=True)
        for i, picture in enumerate(found.images[found.target == digit][:each]):
            Image.fromarray((picture * 15).astype(np.uint8)).save(root / f"d{digit}" / f"{i}.png")
    return root


def recipe_for(source: Path | str, **changes: object) -> Recipe:
    """A recipe that trains in a second; changes are dotted keys with __ for the dots."""
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return recipes.change(recipes.from_target(str(source)), {**QUICK, **dotted})


def silent(text: str) -> None:
    """Say nothing."""
