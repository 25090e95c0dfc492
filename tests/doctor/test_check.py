"""`leadline.check`: a verdict in seconds, and nothing of the caller's is changed."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import leadline
from leadline.doctor.bench import Bench, classifier, convnet, loader, regressor
from leadline.record.finding import QUESTIONS


def state(bench: Bench) -> dict[str, Any]:
    """All that a check could disturb, copied."""
    return copy.deepcopy(
        {
            "model": bench.model.state_dict(),
            "grads": [p.grad for p in bench.model.parameters()],
            "optimizer": bench.optimizer.state_dict(),
            "modes": [m.training for m in bench.model.modules()],
            "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in bench.model.modules()],
            "python": random.getstate(),
            "numpy": np.random.get_state()[1].tolist(),  # type: ignore[union-attr]
            "torch": torch.get_rng_state(),
            "loader": bench.loader.generator.get_state(),
        }
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


@pytest.mark.parametrize("trained", [0, 5])
def test_a_check_leaves_weights_optimizer_generators_modes_and_buffers_bit_for_bit(trained: int) -> None:
    bench = convnet()
    bench.loader = torch.utils.data.DataLoader(bench.loader.dataset, 32, shuffle=True, generator=torch.Generator().manual_seed(3))
    bench.steps = trained
    bench.train()
    bench.model[1].eval()  # type: ignore[index]
    before = state(bench)
    leadline.check(bench.model, bench.loss_fn, bench.optimizer, bench.loader, bench.val_loader)
    after = state(bench)
    assert {key: same(before[key], after[key]) for key in before} == dict.fromkeys(before, True)


@pytest.mark.parametrize("make", [classifier, regressor, convnet])
def test_a_healthy_set_up_is_answered_yes_and_finds_nothing(make: Any) -> None:
    bench = make()
    report = leadline.check(bench.model, bench.loss_fn, bench.optimizer, bench.loader, bench.val_loader)
    assert list(report.checklist) == list(QUESTIONS)
    assert {question: answer.answer for question, answer in report.checklist.items() if answer.answer == "no"} == {}
    assert report.findings == []
    assert not report.blocks
    assert report.seconds < 10


def test_a_report_reads_as_text() -> None:
    bench = classifier()
    text = str(leadline.check(bench.model, bench.loss_fn, bench.optimizer, bench.loader))
    for question in QUESTIONS:
        assert question in text


def test_ones_own_step_is_what_is_checked() -> None:
    bench, heard = classifier(), []

    def step(model: nn.Module, loss_fn: Any, optimizer: torch.optim.Optimizer, batch: Any) -> torch.Tensor:
        heard.append(model is bench.model)
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss

    leadline.check(bench.model, bench.loss_fn, bench.optimizer, bench.loader, step=step)
    assert heard
    assert not any(heard)  # a copy, never the original


def test_batches_may_come_from_any_iterable() -> None:
    bench = classifier()
    report = leadline.check(bench.model, bench.loss_fn, bench.optimizer, list(bench.loader))
    assert report.findings == []


def test_a_step_that_raises_is_answered_with_what_it_raised() -> None:
    bench = classifier(model=nn.Sequential(nn.Linear(9, 3)))
    report = leadline.check(bench.model, bench.loss_fn, bench.optimizer, bench.loader)
    assert report.steps == 0
    assert "9" in str(report)


def test_labels_outside_the_outputs_are_named_not_crashed_on() -> None:
    x, y = torch.randn(256, 8), torch.randint(1, 4, (256,))
    bench = classifier(loader=loader(x, y), val_loader=None)
    report = leadline.check(bench.model, bench.loss_fn, bench.optimizer, bench.loader)
    assert [finding.code for finding in report.findings][:1] == ["D04"]
    assert report.blocks
