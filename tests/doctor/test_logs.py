"""The post-mortem reads any log, tells curves apart by their shape, and says what a log cannot show."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leadline.base.errors import InputError
from leadline.doctor.logs.post_mortem import examine, read
from leadline.doctor.logs.trace import Series, Trace
from leadline.doctor.logs.verdict import judge

STEPS = np.arange(400)
NOISE = np.random.default_rng(0).normal(size=(20, 400))


def fading(start: float, floor: float, time: float) -> np.ndarray:
    """An exponential approach to a floor."""
    return floor + (start - floor) * np.exp(-STEPS / time)


CONVERGED = {
    "classes": fading(2.3, 0.05, 60) + 0.02 * NOISE[0],
    "classes, noisy": fading(2.3, 0.3, 60) + 0.1 * NOISE[1],
    "a language model": fading(9.0, 3.2, 70) + 0.08 * NOISE[2],
    "regression at its noise floor": fading(1.0, 0.45, 60) + 0.03 * NOISE[3],
    "a power law": 2.3 * (1 + STEPS) ** -0.5 + 0.01 * NOISE[4],
    "label smoothing": fading(2.3, 0.75, 50) + 0.02 * NOISE[5],
    "very fast and deep": fading(2.3, 0.1, 8) + 0.02 * NOISE[6],
    "twenty epochs": fading(2.3, 0.2, 80)[::20],
    "two drops of the rate": np.where(STEPS < 200, fading(2.3, 0.6, 40), 0.6 * np.exp(-(STEPS - 200) / 20) + 0.15) + 0.02 * NOISE[7],
    "a likelihood below zero": fading(1.5, 0.2, 60) + 0.02 * NOISE[8],
}
PLATEAU = {
    "just under ln 10": fading(2.6, 2.29, 10) + 0.01 * NOISE[9],
    "just under ln 2": fading(0.72, 0.688, 20) + 0.002 * NOISE[10],
    "the mean of the target": fading(1.2, 0.99, 10) + 0.02 * NOISE[11],
    "one class learnt, then nothing": np.where(STEPS < 20, 2.3 - 0.04 * STEPS, 1.5) + 0.02 * NOISE[12],
    "saturated after ten steps": fading(2.3, 1.6, 4) + 0.02 * NOISE[13],
    "shallow": fading(4.6, 3.9, 60) + 0.02 * NOISE[14],
    "noisy and shallow": fading(2.5, 2.1, 30) + 0.08 * NOISE[15],
    "forty epochs near the start": fading(2.3, 2.2, 40)[::10],
    "stuck at half after a sudden fall": np.where(STEPS < 8, 3.0, 1.7) + 0.03 * NOISE[16],
    "a step down and no more": np.where(STEPS < 30, 1.0, 0.86) + 0.01 * NOISE[17],
}


@pytest.mark.parametrize("name", CONVERGED)
def test_what_came_to_its_floor_is_converged(name: str) -> None:
    values = CONVERGED[name]
    assert judge(Series(np.arange(len(values)), values)).state in ("converged", "still learning")


@pytest.mark.parametrize("name", PLATEAU)
def test_what_got_stuck_is_a_plateau(name: str) -> None:
    values = PLATEAU[name]
    assert judge(Series(np.arange(len(values)), values)).state in ("plateau", "not learning")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (2.3 + 0.05 * NOISE[18], "not learning"),
        (2.3 + 0.05 * STEPS, "diverged"),
        (np.where(STEPS < 300, fading(2.3, 0.3, 50), np.nan), "diverged"),
        (2.3 - 0.004 * STEPS + 0.02 * NOISE[19], "still learning"),
        (np.array([2.3, 2.2, 2.1]), "too short"),
    ],
)
def test_other_ends_have_other_names(values: np.ndarray, state: str) -> None:
    assert judge(Series(np.arange(len(values)), values)).state == state


def trace(**series: np.ndarray) -> Trace:
    """A trace of series by name, `__` for the slash."""
    return Trace("made", "csv", {name.replace("__", "/"): Series(np.arange(len(values)), values) for name, values in series.items()})


def codes(**series: np.ndarray) -> list[str]:
    """What the post-mortem finds."""
    return [finding.code for finding in examine(trace(**series)).findings if finding.severity != "note"]


@pytest.mark.parametrize("name", CONVERGED)
def test_nothing_is_found_in_a_sound_log(name: str) -> None:
    values = CONVERGED[name]
    rising = np.concatenate([np.linspace(0, 1e-3, 40), 1e-3 * (1 + np.cos(np.linspace(0, math.pi, 360))) / 2])[: len(values)]
    assert codes(train__loss=values, val__loss=values + 0.1, lr=rising) == []


def test_a_validation_loss_that_turns_is_overfitting() -> None:
    epochs = np.arange(20)
    assert codes(train__loss=np.exp(-epochs / 5), val__loss=1 + 0.03 * (epochs - 6) ** 2) == ["E02"]


def test_a_schedule_that_ended_too_early_is_named_with_its_step() -> None:
    (finding,) = examine(trace(train__loss=fading(2.3, 1.9, 10), lr=1e-3 * 0.9**STEPS)).findings
    assert (finding.code, finding.severity) == ("O05", "error")
    assert 40 < (finding.step or 0) < 50


def test_a_nan_is_named_with_its_step_and_the_rate_is_not_guessed_beside_it() -> None:
    (finding,) = examine(trace(train__loss=np.where(STEPS < 300, fading(2.3, 0.3, 50), np.nan))).findings
    assert (finding.code, finding.step, finding.confidence) == ("N01", 300, "confirmed")


def test_a_gradient_norm_tells_the_nan_that_a_filtered_loss_hides() -> None:
    found = examine(trace(train__loss=fading(2.3, 0.3, 50), grad_norm=np.where(STEPS == 77, np.nan, 1.0))).findings
    assert [(finding.code, finding.step) for finding in found] == [("N01", 77)]
    assert "left NaN out" in found[0].explanation


def test_a_loss_that_rises_suspects_the_rate() -> None:
    (finding,) = examine(trace(train__loss=2.3 + 0.05 * STEPS)).findings
    assert (finding.code, finding.confidence) == ("O01", "suspected")


def test_a_loss_that_creeps_suspects_the_rate() -> None:
    assert codes(train__loss=2.3 - 0.0003 * STEPS + 0.002 * NOISE[0], lr=np.full(400, 1e-6)) == ["O02"]


def test_spikes_are_told_with_the_gradient_norm() -> None:
    loss, norm = fading(2.3, 0.3, 50) + 0.02 * NOISE[1], np.ones(400)
    for step in (100, 200, 300):
        loss[step], norm[step] = 3.0, 80.0
    (finding,) = examine(trace(train__loss=loss, grad_norm=norm)).findings
    assert (finding.code, finding.confidence, finding.evidence["steps"]) == ("M02", "confirmed", [100.0, 200.0, 300.0])


def test_what_a_log_cannot_tell_is_said() -> None:
    told = examine(trace(train__loss=CONVERGED["classes"])).not_examined
    assert set(told) == {"E02", "O05", "everything else"}
    assert "val/loss" in told["E02"]


def write_csv(folder: Path) -> Path:
    path = folder / "losses.csv"
    lines = [f"{step};{value:.5f};" for step, value in zip(STEPS, CONVERGED["classes"], strict=True)]
    path.write_text("step;train_loss;val_loss\n" + "\n".join(lines) + "\n400;;0.2\n", encoding="utf-8")
    return path


def write_column(folder: Path) -> Path:
    path = folder / "loss.txt"
    path.write_text("\n".join(f"{value:.5f}" for value in CONVERGED["classes"]), encoding="utf-8")
    return path


def write_trainer_state(folder: Path) -> Path:
    curve = zip(STEPS, CONVERGED["classes"], strict=True)
    history = [{"step": int(step), "loss": float(value), "learning_rate": 1e-4, "grad_norm": 1.0} for step, value in curve]
    place = folder / "out" / "checkpoint-400"
    place.mkdir(parents=True)
    (place / "trainer_state.json").write_text(json.dumps({"log_history": [*history, {"step": 400, "eval_loss": 0.2}]}), encoding="utf-8")
    return folder / "out"


def write_tensorboard(folder: Path) -> Path:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(folder / "tb"))
    for step, value in zip(STEPS, CONVERGED["classes"], strict=True):
        writer.add_scalar("Loss/train", value, int(step))
    writer.add_scalar("val/loss", 0.2, 400)
    writer.close()
    return folder / "tb"


@pytest.mark.parametrize("write", [write_csv, write_column, write_trainer_state, write_tensorboard])
def test_every_kind_of_log_gives_the_same_curve(write: Callable[[Path], Path], tmp_path: Path) -> None:
    found = read(write(tmp_path))
    np.testing.assert_allclose(found.series["train/loss"].values, CONVERGED["classes"], atol=1e-4)
    assert examine(found).verdict.state == "converged"


def test_a_torn_event_file_gives_what_is_whole(tmp_path: Path) -> None:
    (file,) = write_tensorboard(tmp_path).iterdir()
    file.write_bytes(file.read_bytes()[:-70])
    assert len(read(tmp_path / "tb").series["train/loss"]) >= 398


def test_several_runs_side_by_side_are_not_mixed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_tensorboard(tmp_path / "runs" / name)
    with pytest.raises(InputError, match="several runs"):
        read(tmp_path / "runs")


def test_a_table_without_losses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("height,weight\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column of losses"):
        read(tmp_path / "a.csv")


def test_reading_a_log_needs_no_torch(tmp_path: Path) -> None:
    path = write_csv(tmp_path)
    code = (
        "import sys, pathlib; from leadline.doctor.logs.post_mortem import examine, read; "
        f"examine(read(pathlib.Path({str(path)!r}))); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
