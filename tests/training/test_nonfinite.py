"""A loss or gradient that is not finite is noticed before the step, with layer and example, and stops the run or is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small import LABELS, Rows, Run, Scores, digits, far_apart, perceptron, settings, weights
from torch import Tensor, nn

from leadline.base.errors import LeadlineError
from leadline.record.batch import Batch
from leadline.tasks.kinds.classify_table import ClassifyTable
from leadline.tasks.task import Loss
from leadline.training.nonfinite import examine
from leadline.training.precision import Precision
from leadline.training.update import can_decide_on_device

INPUTS, TARGET = digits()
BAD = 100


def feed(*bad: int, value: float = float("nan")) -> Rows:
    inputs = INPUTS.clone()
    for number in bad:
        inputs[number, 5] = value
    return Rows(inputs, TARGET, batch_size=64)


def step_of(rows: Rows, example: int) -> int:
    return next(number for number, batch in enumerate(rows.epoch(0), start=1) if example in batch.index)


class Root(nn.Module):
    """A square root, whose slope at 0 is infinite."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs().sqrt()


def test_a_bad_input_stops_the_run_before_the_step_and_names_the_example(tmp_path: Path) -> None:
    rows = feed(BAD)
    run = Run(tmp_path, perceptron(norm=True), rows)
    with pytest.raises(LeadlineError) as caught:
        run.fit(name_of=lambda number: f"row {number + 1}")
    step = step_of(rows, BAD)
    assert caught.value.code == "LL031"
    assert f"step {step}" in caught.value.message
    assert caught.value.where == f"input 0 of the batch is not finite; example row {BAD + 1}"
    assert all(bool(weight.isfinite().all()) for weight in run.model.parameters())
    assert [row["step"] for row in run.trained()] == list(range(1, step + 1))
    assert run.trained()[-1]["skipped"] is True


def test_the_weights_are_those_before_the_bad_step(tmp_path: Path) -> None:
    rows = feed(BAD)
    bad = Run(tmp_path / "bad", perceptron(), rows)
    with pytest.raises(LeadlineError):
        bad.fit()
    good = Run(tmp_path / "good", perceptron(), feed(), settings(epochs=1))
    good.rows.steps = step_of(rows, BAD) - 1
    good.fit()
    assert far_apart(weights(bad.model), weights(good.model)) == 0


def test_a_layer_that_overflows_is_named_with_its_example(tmp_path: Path) -> None:
    model = perceptron(norm=True)
    model[0].weight.data.mul_(1000)
    with pytest.raises(LeadlineError) as caught:
        Run(tmp_path, model, feed(BAD, value=3e38)).fit()
    assert caught.value.where == f"the output of layer '0' is the first that is not finite; example {BAD}"


def test_a_gradient_that_is_not_finite_names_its_parameter(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 8), Root(), nn.Linear(8, 10))
    model[0].weight.data.abs_()
    model[0].bias.data.zero_()
    inputs = INPUTS.clone()
    bad = int(next(feed().epoch(0)).index[7])
    inputs[bad] = 0.0  # its hidden values are exactly 0, where the root's slope is infinite
    with pytest.raises(LeadlineError) as caught:
        Run(tmp_path, model, Rows(inputs, TARGET, batch_size=64)).fit()
    assert caught.value.where is not None
    assert "gradient of '0.bias'" in caught.value.where
    assert caught.value.where.endswith(f"; example {bad}")


def test_a_model_with_bad_weights_is_said_to_have_them() -> None:
    model = perceptron()
    model[0].weight.data[0, 0] = float("inf")
    batch = next(feed().epoch(0))
    trip = examine(model, ClassifyTable(LABELS), batch, step=1, loss=float("nan"), precision=Precision())
    assert trip.where == "'0.weight' of the model itself is not finite"


def test_examining_leaves_buffers_generators_and_gradients_alone() -> None:
    model = perceptron(dropout=0.5, norm=True)
    before, drawn = weights(model), torch.get_rng_state()
    examine(model, ClassifyTable(LABELS), next(feed(*range(512)).epoch(0)), step=1, loss=float("nan"), precision=Precision())
    assert far_apart(before, weights(model)) == 0
    assert torch.equal(drawn, torch.get_rng_state())
    assert all(weight.grad is None for weight in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_skipping_leaves_the_batch_out_of_weights_statistics_and_optimizer(tmp_path: Path) -> None:
    rows = feed(BAD)
    told: list[dict[str, Any]] = []
    run = Run(tmp_path, perceptron(norm=True), rows, settings(epochs=2, on_nonfinite="skip"), validate=Scores(INPUTS, TARGET))
    fitted = run.fit(on_event=told.append)
    assert [event["samples"] for event in fitted.events] == [[BAD], [BAD]]
    assert [event["kind"] for event in told] == ["nonfinite", "nonfinite"]
    assert all(bool(tensor.isfinite().all()) for tensor in run.model.state_dict().values())
    skipped = [row for row in run.trained() if row.get("skipped")]
    assert [row["step"] for row in skipped] == [event["step"] for event in fitted.events]
    assert run.trained()[-1]["loss"] > 0


def test_more_than_three_bad_steps_in_a_row_stop_it_all_the_same(tmp_path: Path) -> None:
    run = Run(tmp_path, perceptron(), feed(*range(512)), settings(on_nonfinite="skip"))
    with pytest.raises(LeadlineError) as caught:
        run.fit()
    assert caught.value.code == "LL031"
    assert "step 4" in caught.value.message


def test_a_bad_loss_with_good_gradients_trips_too(tmp_path: Path) -> None:
    class Odd:
        name = "odd"
        best = ("log_loss", "min")

        def losses(self, model: nn.Module, batch: Batch) -> Iterator[Loss]:
            value = nn.functional.cross_entropy(model(*batch.inputs), batch.target)
            yield Loss(value + float("inf"), len(batch))

    with pytest.raises(LeadlineError) as caught:
        Run(tmp_path, perceptron(), feed(), task=Odd()).fit()
    assert caught.value.where is not None
    assert caught.value.where.startswith("the loss is not finite though every layer's output is")


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_where_the_device_decides_the_first_bad_step_and_all_after_it_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The way of GPUs, run on the CPU, whose fused kernels know the same flag."""
    monkeypatch.setattr("leadline.training.loop.can_decide_on_device", lambda *_: True)
    rows = feed(BAD)
    spec = settings(optimizer={"name": name, "lr": 0.01, "weight_decay": 0}, ema=0.9)
    bad = Run(tmp_path / "bad", perceptron(), rows, spec)
    with pytest.raises(LeadlineError) as caught:
        bad.fit()
    step = step_of(rows, BAD)
    assert f"step {step}" in caught.value.message
    assert caught.value.where == f"input 0 of the batch is not finite; example {BAD}"
    assert [row["step"] for row in bad.trained()] == list(range(1, step + 1))
    good = Run(tmp_path / "good", perceptron(), feed(), settings(epochs=1, optimizer=spec.optimizer.model_dump()))
    good.rows.steps = step - 1
    good.fit()
    assert far_apart(weights(bad.model), weights(good.model)) < 1e-6


def test_deciding_on_the_device_trains_as_deciding_on_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for on_device in (False, True):
        monkeypatch.setattr("leadline.training.loop.can_decide_on_device", lambda *_, answer=on_device: answer)
        run = Run(tmp_path / str(on_device), perceptron(), feed(), settings(clip_norm=0.5, ema=0.9))
        run.fit()
        found.append((weights(run.model), [row["grad_norm"] for row in run.trained()]))
    assert far_apart(found[0][0], found[1][0]) < 1e-6
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-5)


def test_only_gpus_with_fused_optimizers_decide_by_themselves() -> None:
    assert not can_decide_on_device({}, settings(), torch.device("cpu"))
    assert can_decide_on_device({}, settings(), torch.device("cuda"))
    assert not can_decide_on_device({}, settings(on_nonfinite="skip"), torch.device("cuda"))
