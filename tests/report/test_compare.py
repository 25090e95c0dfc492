"""Comparing runs: what differs, what is real, what is noise, and what cannot be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.base.errors import InputError
from leadline.report.compare import compare, plot_curves, to_text

from .made import classify, regress


def test_only_the_settings_that_differ_are_shown(tmp_path: Path) -> None:
    found = compare([classify(tmp_path / "a", lr=0.001), classify(tmp_path / "b", lr=0.01)])
    assert found.settings == {"train.optimizer.lr": (0.001, 0.01)}


def test_runs_that_differ_in_their_seed_are_one_group_with_ranges(tmp_path: Path) -> None:
    runs = [classify(tmp_path / f"seed{i}", seed=i) for i in range(3)]
    found = compare(runs)
    assert found.settings == {}
    assert [group.runs for group in found.groups] == [("seed0", "seed1", "seed2")]
    accuracy = found.groups[0].scores["test"]["accuracy"]
    assert accuracy.runs == 3
    assert accuracy.low <= accuracy.mean <= accuracy.high


def test_three_seeds_each_are_judged_by_their_ranges(tmp_path: Path) -> None:
    weak = [classify(tmp_path / f"weak{i}", seed=i, skill=0.5) for i in range(3)]
    strong = [classify(tmp_path / f"strong{i}", seed=i, skill=4.0, lr=0.5) for i in range(3)]
    (judgement,) = compare([*weak, *strong]).judgements
    assert judgement.word == "real"
    assert "do not overlap" in judgement.why


def test_single_runs_are_judged_by_the_same_test_examples(tmp_path: Path) -> None:
    weak, strong = classify(tmp_path / "weak", skill=0.5), classify(tmp_path / "strong", skill=4.0, lr=0.5)
    (judgement,) = compare([weak, strong]).judgements
    assert judgement.word == "real"
    assert "on the same 90 test examples" in judgement.why


def test_the_same_answers_are_within_noise(tmp_path: Path) -> None:
    (judgement,) = compare([classify(tmp_path / "a"), classify(tmp_path / "b", lr=0.5)]).judgements
    assert judgement.word == "within noise"


def test_numbers_are_judged_by_their_squared_errors(tmp_path: Path) -> None:
    (judgement,) = compare([regress(tmp_path / "a", noise=20.0), regress(tmp_path / "b", seed=1, noise=2.0)]).judgements
    assert (judgement.word, judgement.metric) == ("real", "rmse")


def test_different_test_examples_cannot_tell(tmp_path: Path) -> None:
    (judgement,) = compare([classify(tmp_path / "a"), classify(tmp_path / "b", count=60)]).judgements
    assert (judgement.word, judgement.why) == ("cannot tell", "different test examples")


def test_other_contents_under_the_same_names_cannot_tell(tmp_path: Path) -> None:
    runs = [classify(tmp_path / "a"), classify(tmp_path / "b", lr=0.5)]
    facts = json.loads((runs[1] / "facts.json").read_text())
    facts["split"]["hashes"]["test"] = "other"
    (runs[1] / "facts.json").write_text(json.dumps(facts))
    assert compare(runs).judgements[0].word == "cannot tell"


def test_changed_answers_are_counted_and_named(tmp_path: Path) -> None:
    (changed,) = compare([classify(tmp_path / "weak", skill=0.5), classify(tmp_path / "strong", skill=6.0, lr=0.5)]).changed
    assert changed.num_mended > 20
    assert changed.num_broken <= 2
    name, target, before, after = changed.mended[0]
    assert target == after != before
    assert name.endswith(".png")


def test_the_text_and_the_plain_data_say_the_same(tmp_path: Path) -> None:
    found = compare([classify(tmp_path / "weak", skill=0.5), classify(tmp_path / "strong", skill=4.0, lr=0.5)])
    text = to_text(found)
    assert "train.optimizer.lr  0.001  0.500" in text
    assert "strong against weak: real" in text
    assert json.loads(json.dumps(found.to_dict()))["judgements"][0]["word"] == "real"


def test_runs_with_missing_files_are_compared_as_far_as_they_go(tmp_path: Path) -> None:
    runs = [classify(tmp_path / "a"), classify(tmp_path / "b")]
    for name in ("scores.json", "recipe.yaml", "predictions/test.parquet"):
        (runs[1] / name).unlink()
    found = compare(runs)
    assert found.judgements[0].word == "cannot tell"
    assert "not measured" in to_text(found)


def test_one_run_or_the_same_twice_is_refused(tmp_path: Path) -> None:
    run = classify(tmp_path / "a")
    for folders in ([run], [run, run]):
        with pytest.raises(InputError, match="at least two"):
            compare(folders)


def test_the_curves_of_all_runs_are_drawn_into_one_picture(tmp_path: Path) -> None:
    path = plot_curves([classify(tmp_path / "a"), regress(tmp_path / "b")], tmp_path / "curves.png")
    assert path.read_bytes().startswith(b"\x89PNG")
