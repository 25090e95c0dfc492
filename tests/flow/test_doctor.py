"""The doctor in the workbench: it changes no bit, speaks the run's own language, stops what cannot work, and heals when told to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from leadline import recipe as recipes
from leadline.base.errors import Blocked, InputError, LeadlineError
from leadline.flow.controls import in_recipe
from leadline.flow.heal import Healer
from leadline.flow.leaps import Heedful, leap
from leadline.flow.post_mortem import post_mortem
from leadline.flow.preflight import preflight
from leadline.flow.prepare import prepare
from leadline.flow.rehearsal import rehearse
from leadline.flow.setup import set_up
from leadline.flow.train import train
from leadline.flow.watching import merged
from leadline.recipe import Recipe
from leadline.record.finding import Control, Finding
from leadline.record.run import Run
from leadline.training.distributed import World

from .made import digits, iris, recipe_for, silent

HOT = {
    "train.optimizer.name": "sgd",
    "lr": 10.0,
    "train.schedule.name": "constant",
    "train.schedule.warmup": 0,
    "train.clip_norm": None,
    "epochs": 2,
}


def _train(recipe: Recipe, out: str = "run", *, heal: bool = False) -> tuple[Path, list[str]]:
    said: list[str] = []
    return train(recipe, out=Path(out), device="cpu", command="test", say=said.append, heal=heal), said


def _json(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def _hot(**changes: Any) -> Recipe:
    """The digits at a rate a thousand times too high."""
    quick = {"model": "mlp", "model.hidden": [32], "train.precision": "fp32", "train.threads": 1, "evaluate.baselines": False}
    return recipes.change(recipes.from_target("digits"), {**quick, "check.doctor": "watch", **HOT, **changes})


def _rows(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "examples_per_s"} for row in rows]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_with_the_doctor_on_or_off_the_bits_are_equal(optimizer: str, tmp_path: Path) -> None:
    pictures = digits(tmp_path)
    changes = {"train__optimizer__name": optimizer, "model__dropout": 0.2, "train__augment": {"crop": 1}, "train__clip_norm": 1.0}
    with_doctor = "on" if optimizer == "adamw" else "watch"
    on, off = (
        _train(recipe_for(pictures, check__doctor=doctor, model__hidden=[16, 16], epochs=6, **changes), doctor)[0]
        for doctor in (with_doctor, "off")
    )
    one, other = (load_file(run / "model" / "model.safetensors") for run in (on, off))
    assert _rows(on) == _rows(off)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert _json(on, "doctor.json")["failures"] == []


def test_a_healthy_run_has_no_findings(tmp_path: Path) -> None:
    folder, said = _train(recipe_for(iris(tmp_path), epochs=20, train__optimizer__lr=0.02, check__doctor="on"))
    assert [entry for entry in _json(folder, "findings.json") if entry["severity"] != "note"] == []
    assert any(line.startswith("doctor: nothing found in ") for line in said)


def test_a_fault_is_told_once_with_the_keys_that_cure_it(tmp_path: Path) -> None:
    folder, said = _train(_hot())
    finding = _json(folder, "findings.json")[0]
    assert (finding["code"], finding["severity"], finding["confidence"]) == ("O01", "error", "confirmed")
    assert 0 < finding["control"]["set"]["train.optimizer.lr"] < 10
    assert finding["step"] >= 1
    assert sum("error[O01]" in line for line in said) == 1
    assert "error[O01]" in (folder / "log.txt").read_text()
    assert (folder / "plots" / "findings.png").is_file()
    assert "lr too high" in (folder / "report.html").read_text()


def test_an_accepted_code_is_not_told(tmp_path: Path) -> None:
    folder, said = _train(_hot(**{"check.ignore": {"O01": "a test of patience"}}))
    assert "O01" not in {entry["code"] for entry in _json(folder, "findings.json")}
    assert not any("error[O01]" in line for line in said)


def test_the_doctor_names_the_fault_before_the_first_step_and_blocks() -> None:
    with pytest.raises(Blocked, match="learning rate") as caught:
        _train(_hot(**{"check.doctor": "on"}))
    assert caught.value.help
    assert _json(Path("run"), "findings.json")[0]["code"] == "O01"


def test_healing_applies_the_control_and_keeps_both_courses() -> None:
    folder, said = _train(_hot(), heal=True)
    cure, *_ = _json(folder, "heal.json")["rounds"]
    before, after = cure["changed"]["train.optimizer.lr"]
    assert (cure["finding"]["code"], cure["from"], before) == ("O01", "the start", 10.0)
    assert after < before
    assert cure["helped"]
    assert min(len(cure["before"]["loss"]), len(cure["after"]["loss"])) > 5
    assert recipes.read(folder / "recipe.yaml").train.optimizer.lr <= after
    assert _json(folder, "run.json")["status"] == "finished"
    assert "O01" not in {entry["code"] for entry in _json(folder, "findings.json")}
    assert _json(folder, "scores.json")["test"]["accuracy"] > 0.6
    assert (folder / "plots" / "heal.png").is_file()
    assert "What was done about it" in (folder / "report.html").read_text()
    assert any(line.startswith("heal: O01 lr_too_high: train.optimizer.lr=") for line in said)


def test_what_blocks_beforehand_is_healed_before_the_first_step() -> None:
    folder, _ = _train(_hot(**{"check.doctor": "on"}), heal=True)
    (cure,) = _json(folder, "heal.json")["rounds"]
    assert (cure["why"], cure["before"]["loss"]) == ("training had not begun", [])
    assert _json(folder, "run.json")["status"] == "finished"


def test_a_loss_that_is_not_finite_names_step_and_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _break_step(monkeypatch, at=9)
    with pytest.raises(LeadlineError) as caught:
        _train(recipe_for(digits(tmp_path, each=60)))
    assert caught.value.code == "LL031"
    finding = next(entry for entry in _json(Path("run"), "findings.json") if entry["code"] == "N01")
    assert finding["step"] == 9
    assert finding["severity"] == "error"


def test_healing_leaves_a_bad_batch_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _break_step(monkeypatch, at=9)
    folder, said = _train(recipe_for(digits(tmp_path, each=60)), heal=True)
    (cure,) = _json(folder, "heal.json")["rounds"]
    assert (cure["finding"]["code"], cure["left_out"], cure["changed"]) == ("N01", [9], {})
    assert 9 not in [row["step"] for row in _rows(folder) if row["split"] == "train"]
    assert _json(folder, "run.json")["status"] == "finished"
    assert any("without step 9" in line for line in said)


def _break_step(monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    """The batch of one step of the run holds a NaN: real data that only that step meets."""
    from leadline.data.batches import Batches

    whole = Batches.epoch

    def epoch(self: Batches, number: int, start: int = 0) -> Any:
        for position, batch in enumerate(whole(self, number, start), start):
            if number == (at - 1) // self.steps and position == (at - 1) % self.steps and self.steps > 4:
                spoilt = batch.inputs[0].clone()
                spoilt[0] = float("nan")
                batch = replace(batch, inputs=(spoilt, *batch.inputs[1:]))
            yield batch

    monkeypatch.setattr(Batches, "epoch", epoch)


def test_healing_is_for_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="--heal") as caught:
        _train(recipe_for(iris(tmp_path)), heal=True)
    assert caught.value.code == "LL030"


def test_a_leap_counts_only_if_it_stays() -> None:
    quiet = [1.0 + 0.01 * (i % 5) for i in range(60)]
    assert leap(quiet) is None
    assert leap([*quiet[:40], 9.0, *quiet[40:]]) is None
    assert leap([*quiet, 9.0, 8.0, 7.0, 7.0, 7.0, 6.0]) == 60


def test_the_preflight_joins_the_doctors_findings_without_doubles(tmp_path: Path) -> None:
    recipe = recipe_for(digits(tmp_path), check__doctor="on")
    rig = set_up(prepare(recipe, device="cpu"), folder=None, world=World(), say=silent)
    rig.model.register_parameter("idle", nn.Parameter(torch.zeros(3)))
    codes = [finding.code for finding in preflight(rig, schedule_plot=None, say=silent).findings]
    assert codes.count("M10") == 1
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_rehearsal_leaves_the_rig_as_it_was_and_is_silent_on_a_sound_one(optimizer: str, tmp_path: Path) -> None:
    recipe = recipe_for(digits(tmp_path), model__dropout=0.1, model__hidden=[16, 16], train__optimizer__name=optimizer, lr=0.01)
    rig = set_up(prepare(recipe, device="cpu"), folder=None, world=World(), say=silent)
    before = {name: tensor.clone() for name, tensor in rig.model.state_dict().items()}
    rates, state = [group["lr"] for group in rig.optimizers.param_groups], torch.get_rng_state()
    found, words = rehearse(rig, seconds=5)
    assert [finding for finding in found if finding.severity != "note"] == [], words
    assert all(torch.equal(before[name], tensor) for name, tensor in rig.model.state_dict().items())
    assert rates == [group["lr"] for group in rig.optimizers.param_groups]
    assert torch.equal(state, torch.get_rng_state())
    assert not rig.optimizers.state()[0]
    assert "trial steps on a copy" in words


def _finding(code: str, **changes: Any) -> Finding:
    return replace(Finding(code, "a_cause", "warning", "confirmed", "words", Control("do")), **changes)


def test_of_two_findings_with_one_code_the_worse_stands() -> None:
    found = merged([_finding("O01"), _finding("XX1"), _finding("O01", severity="error")])
    assert [(finding.code, finding.severity) for finding in found] == [("O01", "error"), ("XX1", "warning")]


def test_a_rate_is_told_as_the_schedules_peak(tmp_path: Path) -> None:
    recipe = recipe_for(iris(tmp_path), lr=0.4)
    spoken = _finding("O01", control=Control("lower", {"train.optimizer.lr": 0.001}))
    assert in_recipe(spoken, recipe, lr_then=0.01).control.set == {"train.optimizer.lr": 0.04}
    assert in_recipe(_finding("O02"), recipe).control.set == {"train.optimizer.lr": 4.0}


def test_a_control_that_a_recipe_cannot_take_has_no_keys(tmp_path: Path) -> None:
    recipe = recipe_for(iris(tmp_path))
    assert in_recipe(_finding("T01", control=Control("zero_grad", {"loop.zero_grad": True})), recipe).control.set == {}


def test_the_post_mortem_of_a_run_has_its_own_findings_and_those_of_its_curves() -> None:
    folder, _ = _train(_hot())
    found = post_mortem(folder)
    assert found["kind"] == "run"
    assert {(entry["code"], entry["from"]) for entry in found["findings"]} >= {("O01", "run")}
    assert found["verdict"]["state"] != "converged"
    assert not any(isinstance(value, float) and not np.isfinite(value) for value in found["verdict"].values())


def test_a_leap_of_a_run_that_was_learning_is_answered_by_going_back(tmp_path: Path) -> None:
    run = Run.start(out=tmp_path / "run", task=None, command="test", seed=0, device="cpu", recipe_text="schema: 1\n")
    healer = Healer(run, silent)
    journal = Heedful(run, healer)
    losses = [2.0 * 0.9**i + 0.1 for i in range(60)]
    journal.write({"split": "train", "step": i + 1, "loss": loss} for i, loss in enumerate([*losses, 9.0, 8.0, 8.0, 8.0, 8.0, 8.0]))
    assert healer.wanted is not None
    assert healer.wanted.left_out == (60, 61)
    assert len(run.journal.read()) == 66
    run.release()
