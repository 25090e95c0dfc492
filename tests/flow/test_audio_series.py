"""Sounds and series from data to answers: the same verbs, the same loop, the same run folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leadline import recipe as recipes
from leadline.base.errors import InputError, Stopped
from leadline.data.sources.series_table import SeriesTable
from leadline.data.sources.wav_folder import WavFolder
from leadline.flow import train as story
from leadline.flow.evaluate import evaluate
from leadline.flow.predict import predict
from leadline.flow.train import resume, train
from leadline.recipe import Recipe

from .made import silent
from .test_train import _equal, _StopAfter

QUICK = {"train.precision": "fp32", "train.threads": 1, "check.doctor": "off", "evaluate.baselines": False}
TONES = {**QUICK, "model": "mlp", "model.hidden": [16], "epochs": 15, "batch_size": 8, "data.audio.mels": 32}
WAVES = {**QUICK, "epochs": 3, "data.series.window": 48, "data.series.horizon": 12}


def _recipe(source: Path, settings: dict[str, object]) -> Recipe:
    return recipes.change(recipes.from_target(str(source)), settings)


def _train(source: Path, settings: dict[str, object], out: str = "run") -> Path:
    return train(_recipe(source, settings), out=Path(out), device="cpu", command="test", say=silent)


def _scores(folder: Path) -> dict:
    return json.loads((folder / "scores.json").read_text())


def test_tones_are_told_apart_from_their_files(tmp_path: Path) -> None:
    tones = WavFolder.tiny(tmp_path)
    run = _train(tones, TONES)
    assert _scores(run)["test"]["accuracy"] == 1.0
    assert list((run / "plots" / "examples").glob("*.png"))  # spectrograms
    assert "time_mask: 0.15" in (run / "recipe.yaml").read_text()
    answers = predict(run, [str(tones / "low"), str(tones / "high" / "00.wav")])
    assert [Path(answer["id"]).name for answer in answers[-2:]] == ["19.wav", "00.wav"]
    assert np.mean([answer["label"] == Path(answer["id"]).parent.name for answer in answers]) > 0.9
    assert evaluate(run, say=silent)["test"] == pytest.approx({**_scores(run)["test"]}, rel=1e-4)
    (tmp_path / "notes.wav").write_text("no sound")
    with pytest.raises(InputError, match="cannot be read as sound"):
        predict(run, [str(tmp_path / "notes.wav")])


@pytest.mark.parametrize("kind", ["tones", "waves"])
def test_a_stopped_run_goes_on_to_the_bit(tmp_path: Path, kind: str) -> None:
    source, settings = (WavFolder.tiny(tmp_path), TONES) if kind == "tones" else (SeriesTable.tiny(tmp_path), WAVES)
    whole = _train(source, {**settings, "epochs": 2}, "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "StopFlag", lambda: _StopAfter(5))
        with pytest.raises(Stopped):
            _train(source, {**settings, "epochs": 2}, "torn")
    assert _equal(whole, resume(Path("torn"), say=silent))


def test_a_series_is_forecast_better_than_by_repeating(tmp_path: Path) -> None:
    table = SeriesTable.tiny(tmp_path)
    run = _train(table, {**WAVES, "epochs": 10, "evaluate.baselines": True})
    found = _scores(run)
    rivals = {name: one["standardised_mse"] for name, one in found["baselines"].items()}
    assert list(rivals) == ["repeat_last", "seasonal_naive", "linear"]
    assert found["test"]["standardised_mse"] < min(rivals["repeat_last"], rivals["seasonal_naive"])
    assert found["test"]["standardised_mse"] < 1.5 * rivals["linear"]
    assert (run / "plots" / "forecast.png").stat().st_size > 5000
    (answer,) = predict(run, [str(table)])
    assert answer["after"] == "2024-02-09 23:00:00"
    ahead = answer["forecast"]["wave"]
    expected = np.sin(2 * np.pi * np.arange(960, 972) / 24) + 0.002 * np.arange(960, 972)
    assert np.abs(np.array(ahead) - expected).mean() < 0.3  # in the column's own units


def test_one_column_is_forecast_where_the_task_and_it_are_named(tmp_path: Path) -> None:
    table = SeriesTable.tiny(tmp_path)
    run = _train(table, {**WAVES, "task": "forecast_series", "target": "echo"})
    (answer,) = predict(run, [str(table)])
    assert list(answer["forecast"]) == ["echo"]
    assert np.isfinite(_scores(run)["test"]["standardised_mae"])


def _spelt(folder: Path, *, count: int) -> Path:
    """Sounds that spell one to three letters, a pitch each, beside a table of what they spell."""
    pitches, draw, rate = {"a": 300.0, "b": 800.0}, np.random.default_rng(0), 4000
    lines = ["file,transcript"]
    folder.mkdir()
    for number in range(count):
        word = "".join(draw.choice(list(pitches), draw.integers(1, 4)))
        pieces = [np.concatenate([np.sin(2 * np.pi * pitches[letter] * np.arange(400) / rate), np.zeros(200)]) for letter in word]
        samples = np.concatenate(pieces) * draw.uniform(0.3, 0.9) + draw.normal(0, 0.01, 600 * len(word))
        soundfile.write(str(folder / f"{number:03}.wav"), samples.astype(np.float32), rate)
        lines.append(f"{number:03}.wav,{word}")
    (folder / "said.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_what_is_spelt_is_written_down(tmp_path: Path) -> None:
    spelt = _spelt(tmp_path / "spelt", count=160)
    small = {"model": "lstm", "model.width": 24, "model.depth": 1, "epochs": 30, "batch_size": 16, "lr": 0.02, "data.audio.mels": 16}
    run = _train(spelt, {**QUICK, **small, "data.audio.stack": 4})
    assert _scores(run)["test"]["cer"] < 0.1
    assert {"wer", "cer"} <= set(_scores(run)["intervals"])
    said = {line.split(",")[0]: line.split(",")[1] for line in (spelt / "said.csv").read_text().split()[1:]}
    answers = predict(run, [str(spelt)])
    right = [answer["text"] == said[Path(answer["id"]).name] for answer in answers]
    assert np.mean(right) > 0.9
