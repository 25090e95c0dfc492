"""Plots and pictures: real PNG files of what there is, and nothing of what there is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from leadline.report.figures import ticks
from leadline.report.folder import read_run
from leadline.report.pictures import write_examples
from leadline.report.plots import plot_schedule, write_plots
from leadline.report.sections.curves import drawn, thinned
from leadline.report.sections.healing import healed

from .made import classify, heal, regress


def test_a_classifier_gets_its_plots(tmp_path: Path) -> None:
    names = {path.name for path in write_plots(classify(tmp_path / "run"))}
    assert names == {"findings.png", "loss.png", "schedule.png", "gradients.png", "confusion.png", "reliability.png"}


def test_a_regression_gets_its_plots(tmp_path: Path) -> None:
    names = {path.name for path in write_plots(regress(tmp_path / "run"))}
    assert names == {"findings.png", "loss.png", "schedule.png", "gradients.png", "regression.png"}


def test_the_schedule_is_drawn_before_training_with_its_numbers_beside(tmp_path: Path) -> None:
    path = plot_schedule([0.1, 0.2, 0.1], tmp_path / "plots" / "schedule.png")
    with Image.open(path) as picture:
        picture.verify()
    assert json.loads(path.with_suffix(".json").read_text()) == {"step": [1, 2, 3], "lr": [0.1, 0.2, 0.1]}


def test_small_pictures_are_enlarged_and_large_ones_brought_down(tmp_path: Path) -> None:
    images = {3: np.zeros((8, 8, 1), dtype=np.uint8), 4: np.zeros((500, 250, 3), dtype=np.uint8), 5: np.zeros((8, 6), dtype=np.uint8)}
    sizes = {}
    for path in write_examples(tmp_path, images):
        with Image.open(path) as picture:
            sizes[path.name] = picture.size
    assert sizes == {"3.png": (96, 96), "4.png": (80, 160), "5.png": (72, 96)}


def test_a_noisy_curve_is_drawn_pale_with_its_means_on_top_and_a_rate_as_it_is() -> None:
    line = [(float(i), float(i % 2)) for i in range(1000)]
    (pale, steps), (strong, means) = drawn("train", line)
    assert (pale, strong) == (True, False)
    assert {y for _, y in steps} == {0.0, 1.0}
    assert len(means) <= 150
    assert {round(y, 1) for _, y in means} <= {0.4, 0.5, 0.6}
    assert drawn("planned", line) == [(False, line)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000))
def test_thinning_keeps_the_peaks_and_the_order(values: list[float]) -> None:
    line = [(float(i), value) for i, value in enumerate(values)]
    kept = thinned(line, 100)
    assert len(kept) <= 102
    assert [x for x, _ in kept] == sorted({x for x, _ in kept})
    assert abs(max(y for _, y in kept) - max(values)) <= abs(max(values)) * 1e-4
    assert abs(min(y for _, y in kept) - min(values)) <= abs(min(values)) * 1e-4


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_and_within(low: float, width: float) -> None:
    high = low + width
    if high - low <= abs(low) * 1e-9:
        return
    found = ticks(low, high)
    room = width * 1e-6 + abs(low) * 1e-9
    assert len(found) <= 7
    assert all(low - room <= tick <= high + room for tick in found)


def test_a_healed_run_gets_both_courses_in_one_picture(tmp_path: Path) -> None:
    folder = classify(tmp_path / "run")
    heal(folder)
    assert (folder / "plots" / "heal.png") in write_plots(folder)
    courses = healed(read_run(folder))
    assert [label for label, _ in courses] == ["as it was: O01 lr too high", "train.optimizer.lr 3.000 -> 0.030"]
    assert all(len(line) > 1 for _, line in courses)
