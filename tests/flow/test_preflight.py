"""The six questions tell sick set-ups from well ones, and leave what they looked at as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from leadline.flow.preflight import preflight
from leadline.flow.prepare import prepare
from leadline.flow.setup import Rig, set_up
from leadline.training.distributed import World

from .made import digits, recipe_for, silent


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    recipe = recipe_for(digits(tmp_path), model__dropout=0.1, train__augment={"crop": 1})
    return set_up(prepare(recipe, device="cpu"), folder=None, world=World(), say=silent)


def _answers(rig: Rig) -> dict[str, str]:
    return {question: answer.answer for question, answer in preflight(rig, schedule_plot=None, say=silent).answers.items()}


def test_a_well_set_up_gets_six_times_yes(rig: Rig) -> None:
    assert set(_answers(rig).values()) == {"yes"}


def test_nothing_is_changed_by_looking(rig: Rig) -> None:
    before = {name: tensor.clone() for name, tensor in rig.model.state_dict().items()}
    modes, state = [module.training for module in rig.model.modules()], torch.get_rng_state()
    preflight(rig, schedule_plot=None, say=silent)
    assert all(torch.equal(before[name], tensor) for name, tensor in rig.model.state_dict().items())
    assert modes == [module.training for module in rig.model.modules()]
    assert torch.equal(state, torch.get_rng_state())
    assert not rig.optimizers.state()[0]


def test_a_network_that_does_not_see_its_input_blocks(rig: Rig) -> None:
    linear = [module for module in rig.model.modules() if isinstance(module, nn.Linear)]
    linear[0].register_forward_pre_hook(lambda module, inputs: (torch.zeros_like(inputs[0]),))
    asked = preflight(rig, schedule_plot=None, say=silent)
    assert asked.answers["one batch overfits"].answer == "no"
    assert any(finding.code == "M15" for finding in asked.findings)


def test_dropout_that_never_rests_is_found(rig: Rig) -> None:
    rig.model.register_forward_hook(lambda module, inputs, output: nn.functional.dropout(output, 0.3, training=True))
    asked = preflight(rig, schedule_plot=None, say=silent)
    assert asked.answers["eval mode used for validation"].answer == "no"
    assert asked.blocks
    assert any(finding.code == "E01" for finding in asked.findings)


def test_a_part_without_gradient_is_named(rig: Rig) -> None:
    rig.model.register_parameter("idle", nn.Parameter(torch.zeros(3)))
    asked = preflight(rig, schedule_plot=None, say=silent)
    assert asked.answers["gradient norms logged"].evidence["without_gradient"] == ["idle"]
    assert [finding.where for finding in asked.findings if finding.code == "M10"] == ["idle"]


def test_state_outside_the_buffers_makes_resuming_inexact(rig: Rig) -> None:
    counter = {"calls": 0}

    def drift(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        counter["calls"] += 1
        return output * (1 + 0.01 * counter["calls"]) if module.training else output

    rig.model.register_forward_hook(drift)
    asked = preflight(rig, schedule_plot=None, say=silent)
    assert asked.answers["checkpoint resume tested"].answer == "no"
    assert any(finding.code == "H06" for finding in asked.findings)
