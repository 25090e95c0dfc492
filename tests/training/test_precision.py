"""Formats and layouts: what runs, what is refused, and a measurement that leaves no trace."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from small import CPU, LABELS, Rows, Run, Scores, convolutions, digits, far_apart, perceptron, settings, weights
from torch import nn

from leadline.base.errors import InputError, LeadlineError
from leadline.record.batch import Batch
from leadline.tasks.kinds.classify_table import ClassifyTable
from leadline.training import measure as measuring
from leadline.training.measure import candidates_for, measure
from leadline.training.precision import Precision, check_device

PICTURES, TARGET = digits(images=True)
INPUTS, _ = digits()


def picture_batch(count: int = 32) -> Batch:
    return Batch((PICTURES[:count],), TARGET[:count], torch.arange(count), total=count)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement of one round, so that tests are quick."""
    monkeypatch.setattr(measuring, "BUDGET_S", 0.0)


@pytest.mark.usefixtures("brief")
def test_measuring_leaves_model_modes_generators_and_torch_as_they_were() -> None:
    model = nn.Sequential(convolutions(), nn.Dropout(0.5))
    model[0].eval()
    before, modes, drawn = weights(model), [module.training for module in model.modules()], torch.get_rng_state()
    precision, batch = torch.get_float32_matmul_precision(), picture_batch()
    choice = measure(model, ClassifyTable(LABELS), batch, device=CPU)
    assert far_apart(before, weights(model)) == 0
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(drawn, torch.get_rng_state())
    assert precision == torch.get_float32_matmul_precision()
    assert all(weight.grad is None for weight in model.parameters())
    assert batch.inputs[0].is_contiguous()
    assert list(choice.evidence) == ["fp32", "fp32 channels-last", "bf16 channels-last"]
    assert all(milliseconds is not None and milliseconds > 0 for milliseconds in choice.evidence.values())


@pytest.mark.parametrize(
    ("plain", "other", "wins"),
    [(1.0, 0.5, True), (1.0, 0.81, False), (1.0, 0.79, True), (1.0, 1.5, False)],
)
def test_another_than_plain_fp32_must_be_a_quarter_faster(plain: float, other: float, wins: bool) -> None:
    bf16 = Precision("bf16", channels_last=True)
    chosen = measuring._fastest({Precision(): plain, bf16: other}, {})
    assert chosen == (bf16 if wins else Precision())


def test_the_fastest_of_several_gains_wins() -> None:
    last, bf16 = Precision(channels_last=True), Precision("bf16", channels_last=True)
    assert measuring._fastest({Precision(): 1.0, last: 0.6, bf16: 0.5}, {}) == bf16


def test_a_matmul_that_changes_the_loss_is_not_taken_however_fast() -> None:
    medium = Precision(matmul="medium")
    times: measuring.Times = {Precision(): 1.0, medium: 0.1}
    assert measuring._fastest(times, {Precision(): 1.0, medium: 1.01}) == Precision()
    assert measuring._fastest(times, {Precision(): 1.0, medium: 1.000001}) == medium


@pytest.mark.usefixtures("brief")
def test_a_candidate_that_does_not_fit_into_memory_is_out() -> None:
    class Room(ClassifyTable):
        def losses(self, model: nn.Module, batch: Batch):
            if torch.is_autocast_enabled("cpu"):
                raise MemoryError
            yield from super().losses(model, batch)

    choice = measure(convolutions(), Room(LABELS), picture_batch(), device=CPU)
    assert choice.evidence["bf16 channels-last"] is None
    assert choice.precision == "fp32"


def test_rows_are_never_trained_in_half_precision_unasked() -> None:
    batch = Batch((INPUTS[:8],), TARGET[:8], torch.arange(8), total=8)
    assert {precision.name for precision in candidates_for(batch, CPU)} == {"fp32"}


def test_the_choice_goes_through_json() -> None:
    precision = Precision("bf16", channels_last=True, matmul="medium")
    assert Precision(**precision.to_dict()) == precision


@pytest.mark.parametrize(
    "precision", [Precision(), Precision(channels_last=True), Precision("bf16", channels_last=True), Precision("fp16")]
)
def test_a_net_learns_in_every_format(tmp_path: Path, precision: Precision) -> None:
    check_device(precision.name, CPU)
    rows = Rows(PICTURES, TARGET, batch_size=64)
    run = Run(tmp_path, convolutions(), rows, settings(epochs=4), validate=Scores(PICTURES, TARGET), precision=precision)
    run.fit()
    assert Scores(PICTURES, TARGET)(run.model)["accuracy"] > 0.8
    assert run.model[0].weight.dtype == torch.float32


def test_fp16_finds_its_scale_by_overflowing_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    spec = settings(epochs=2, clip_norm=None)
    ends = []
    for name, stops in (("whole", ()), ("broken", (3,))):
        run = Run(tmp_path / name, perceptron(), Rows(INPUTS * 200, TARGET, batch_size=64), spec, precision=Precision("fp16"))
        for number in stops:
            asked = iter(range(99))
            with pytest.raises(LeadlineError, match="stopped at step"):
                run.fit(stop=lambda asked=asked, number=number: next(asked) >= number)
            run.model = perceptron()
        run.fit(state=run.checkpoints.newest())
        ends.append((weights(run.model), [row.get("skipped", False) for row in run.trained()]))
    assert any(ends[0][1])
    assert not ends[0][1][-1]
    assert ends[0][1] == ends[1][1]
    assert far_apart(ends[0][0], ends[1][0]) == 0


def test_fp16_finds_its_scale_on_the_device_as_on_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for on_device in (False, True):
        monkeypatch.setattr("leadline.training.loop.can_decide_on_device", lambda *_, answer=on_device: answer)
        rows = Rows(INPUTS * 200, TARGET, batch_size=64)
        run = Run(tmp_path / str(on_device), perceptron(), rows, settings(epochs=2), precision=Precision("fp16"))
        run.fit()
        found.append(weights(run.model))
    assert far_apart(*found) < 1e-6


def test_a_format_that_the_device_cannot_do_is_refused_early() -> None:
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        check_device("fp16", torch.device("meta"))
    assert caught.value.code == "LL022"
    assert time.perf_counter() - start < 5
