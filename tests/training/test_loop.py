"""The loop learns, keeps what it promises about rates, norms and micro-batches, and goes on bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small import CPU, Rows, Run, Scores, convolutions, digits, far_apart, linear, perceptron, settings, weights
from torch import nn

from leadline.base.errors import InputError, Stopped
from leadline.models.nets.columns import encoder
from leadline.models.nets.mlp import MLPNet, Style
from leadline.record.batch import Batch
from leadline.record.ports import Images
from leadline.tasks.task import Loss
from leadline.training.network import compile_errors
from leadline.training.watchers import Epoch

INPUTS, TARGET = digits()


def rows(batch_size: int = 64, count: int = 512, **options: Any) -> Rows:
    return Rows(INPUTS[:count], TARGET[:count], batch_size=batch_size, **options)


def stop_after(calls: int) -> Callable[[], bool]:
    """A signal that comes in the midst of the run: the loop asks once a step."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= calls - 1


def test_it_learns_the_digits_linearly(tmp_path: Path) -> None:
    run = Run(tmp_path, linear(), rows(), settings(epochs=20), validate=Scores(INPUTS, TARGET))
    fitted = run.fit()
    assert Scores(INPUTS, TARGET)(run.model)["accuracy"] > 0.95
    assert fitted.step == 160
    assert fitted.best is not None


@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one_cycle", "wsd"])
def test_the_rates_used_are_the_planned_ones_to_the_last_bit(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, linear(), rows(), settings(schedule={"name": name, "warmup": 0.2, "every": 1}))
    run.fit()
    assert run.planned is not None
    assert [row["lr"] for row in run.trained()] == run.planned.tolist()


def test_accumulation_of_four_by_eight_equals_thirty_two(tmp_path: Path) -> None:
    models = []
    for parts in (1, 4):
        run = Run(
            tmp_path / str(parts),
            perceptron(),
            rows(32, count=320),
            settings(accumulate=parts, optimizer={"name": "sgd", "lr": 0.1, "weight_decay": 0}),
        )
        run.fit()
        models.append((weights(run.model), [row["loss"] for row in run.trained()]))
    assert far_apart(models[0][0], models[1][0]) < 1e-5
    assert models[0][1] == pytest.approx(models[1][1], abs=1e-5)
    assert len(models[0][1]) == 20


def test_accumulation_equals_the_big_batch_also_where_it_does_not_divide(tmp_path: Path) -> None:
    found = []
    for parts in (1, 3):
        run = Run(
            tmp_path / str(parts),
            perceptron(),
            rows(50, count=130),
            settings(accumulate=parts, optimizer={"name": "sgd", "lr": 0.1, "weight_decay": 0}),
        )
        run.fit()
        found.append(weights(run.model))
    assert far_apart(*found) < 1e-5


class HalfCounts:
    """A task whose units are not its examples: every second example has no target and is left out of the mean."""

    name = "half_counts"
    best = ("log_loss", "min")

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[Loss]:
        counts = batch.index % 2 == 0
        values = nn.functional.cross_entropy(model(*batch.inputs), batch.target, reduction="none")
        units = int(counts.sum())
        yield Loss(values[counts].sum() / max(units, 1), units, seen={"counted": counts.sum()})


def test_a_mean_over_other_units_than_examples_is_the_big_batchs_too(tmp_path: Path) -> None:
    found = []
    for parts in (1, 4):
        spec = settings(accumulate=parts, optimizer={"name": "sgd", "lr": 0.1, "weight_decay": 0})
        run = Run(tmp_path / str(parts), perceptron(), rows(32, count=320), spec, task=HalfCounts())
        run.fit()
        found.append(weights(run.model))
        assert all(row["counted"] == 1.0 for row in run.trained())
    assert far_apart(*found) < 1e-5


def test_norms_are_logged_before_and_after_clipping_and_by_layer(tmp_path: Path) -> None:
    run = Run(tmp_path, perceptron(), rows(), settings(clip_norm=0.05))
    run.fit()
    for row in run.trained():
        assert row["grad_norm"] > 0.05
        assert row["grad_norm_clipped"] == pytest.approx(0.05, rel=1e-4)
        assert set(row["grad_norms"]) == {"0", "3"}
        assert math.hypot(*row["grad_norms"].values()) == pytest.approx(row["grad_norm"], rel=1e-6)


def test_clipping_changes_the_step_and_its_absence_does_not(tmp_path: Path) -> None:
    found = []
    for name, limit in (("none", None), ("wide", 1e6), ("narrow", 0.01)):
        sgd = {"name": "sgd", "lr": 0.1, "weight_decay": 0}
        run = Run(tmp_path / name, linear(), rows(), settings(clip_norm=limit, optimizer=sgd, epochs=1))
        run.fit()
        found.append(weights(run.model))
    assert far_apart(found[0], found[1]) == 0
    assert far_apart(found[0], found[2]) > 0


def test_every_step_has_one_row_with_the_promised_fields(tmp_path: Path) -> None:
    run = Run(tmp_path, linear(), rows(), settings(epochs=3), validate=Scores(INPUTS, TARGET))
    run.fit()
    trained = run.trained()
    assert [row["step"] for row in trained] == list(range(1, 25))
    assert [row["epoch"] for row in trained] == [1] * 8 + [2] * 8 + [3] * 8
    assert {"loss", "lr", "grad_norm", "grad_norm_clipped", "grad_norms", "examples_per_s"} <= set(trained[0])
    checked = [row for row in run.journal.read() if row["split"] == "val"]
    assert [row["step"] for row in checked] == [8, 16, 24]
    assert {"loss", "accuracy"} <= set(checked[0])


def test_a_very_long_run_writes_every_so_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.training.meter.ROWS", 5)
    run = Run(tmp_path, linear(), rows(), settings(epochs=3))
    run.fit()
    assert [row["step"] for row in run.trained()] == [5, 10, 15, 20, 24]


def test_averaged_weights_are_validated_and_kept(tmp_path: Path) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def validate(model: nn.Module) -> dict[str, float]:
        seen.append(weights(model))
        return Scores(INPUTS, TARGET)(model)

    run = Run(tmp_path, linear(), rows(), settings(epochs=3, ema=0.9), validate=validate)
    run.fit()
    plain = Run(tmp_path / "plain", linear(), rows(), settings(epochs=3))
    plain.fit()
    assert far_apart(seen[-1], weights(plain.model)) > 1e-4
    assert min(far_apart(weights(run.model), each) for each in seen) == 0
    newest = run.checkpoints.newest()
    assert newest is not None
    assert far_apart({"0.weight": newest.tensors["model/0.weight"]}, {"0.weight": weights(plain.model)["0.weight"]}) == 0


def test_the_average_is_the_formula(tmp_path: Path) -> None:
    run = Run(tmp_path, linear(), rows(), settings(epochs=1, ema=0.5))
    run.fit()
    expected = linear()
    average = expected[0].weight.detach().double()
    step = Run(tmp_path / "again", linear(), rows(), settings(epochs=1))
    path: list[torch.Tensor] = []
    step.fit(stop=lambda: bool(path.append(step.model[0].weight.detach().double().clone())))
    for number, weight in enumerate(path, start=1):
        share = 1 - min(0.5, (1 + number) / (10 + number))
        average = average + (weight - average) * share
    assert torch.allclose(run.model[0].weight.double(), average, atol=1e-6)


def test_early_stopping_gives_back_the_best_weights(tmp_path: Path) -> None:
    scores = iter([0.5, 0.3, 0.4, 0.41, 0.42, 0.1])
    seen: list[dict[str, torch.Tensor]] = []

    def validate(model: nn.Module) -> dict[str, float]:
        seen.append(weights(model))
        return {"log_loss": next(scores)}

    run = Run(tmp_path, linear(), rows(), settings(epochs=6, early_stop={"patience": 3}), validate=validate)
    fitted = run.fit()
    assert (fitted.epochs, fitted.best, fitted.best_step, fitted.stopped_early) == (5, 0.3, 16, True)
    assert far_apart(weights(run.model), seen[1]) == 0


def test_plateau_drops_the_rate_and_says_so(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    spec = settings(epochs=4, schedule={"name": "plateau", "warmup": 0, "patience": 1, "gamma": 0.5})
    run = Run(tmp_path, linear(), rows(), spec, validate=lambda model: {"log_loss": 1.0})
    run.fit(on_event=told.append)
    assert [row["lr"] for row in run.trained()][::8] == [0.01, 0.01, 0.01, 0.005]
    assert told == [{"kind": "plateau", "step": 24, "factor": 0.5}]


@pytest.mark.parametrize("change", [{"schedule": {"name": "plateau", "warmup": 0}}, {"early_stop": {"patience": 2}}])
def test_what_needs_validation_is_refused_without_it(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Run(tmp_path, linear(), rows(), settings(**change)).fit()
    assert caught.value.code == "LL030"


def test_a_model_that_cannot_learn_is_refused(tmp_path: Path) -> None:
    model = linear().requires_grad_(False)
    with pytest.raises(InputError, match="no weight that may learn"):
        Run(tmp_path, model, rows()).fit()


def fresh(name: str) -> tuple[nn.Module, Rows]:
    if name == "images":
        pictures, target = digits(images=True)
        return convolutions(), Rows(pictures, target, batch_size=64)
    return perceptron(dropout=0.3, norm=True), rows()


@pytest.mark.parametrize("algorithm", ["sgd", "adamw"])
@pytest.mark.parametrize("kind", ["rows", "images"])
def test_a_run_stopped_in_mid_epoch_ends_with_the_bits_of_the_uninterrupted_one(tmp_path: Path, kind: str, algorithm: str) -> None:
    optimizer = {"name": algorithm, "lr": 0.01, "weight_decay": 0.01}
    spec = settings(epochs=4, optimizer=optimizer, ema=0.9, schedule={"name": "cosine", "warmup": 0.1})
    ends = []
    for name, stops in (("whole", ()), ("broken", (11, 3, 1))):
        model, feed = fresh(kind)
        torch.manual_seed(5)
        run = Run(tmp_path / name, model, feed, spec, validate=Scores(feed.inputs, feed.target))
        for number in stops:
            with pytest.raises(Stopped) as caught:
                run.fit(state=run.checkpoints.newest(), stop=stop_after(number))
            assert caught.value.exit_code == 75
            run.model, _ = fresh(kind)
            torch.manual_seed(99)
        run.fit(state=run.checkpoints.newest())
        ends.append((weights(run.model), [{**row, "examples_per_s": 0} for row in run.journal.read()], torch.get_rng_state()))
    assert far_apart(ends[0][0], ends[1][0]) == 0
    assert ends[0][1] == ends[1][1]
    assert torch.equal(ends[0][2], ends[1][2])


def test_rows_written_after_the_last_save_are_cut_back(tmp_path: Path) -> None:
    run = Run(tmp_path, perceptron(), rows(), settings(epochs=2))
    with pytest.raises(Stopped):
        run.fit(stop=stop_after(11))
    run.journal.write([{"step": 12, "split": "train"}])
    run.model = perceptron()
    run.fit(state=run.checkpoints.newest())
    assert [row["step"] for row in run.trained()] == list(range(1, 17))


def test_a_state_is_saved_in_mid_epoch_when_it_is_time(tmp_path: Path) -> None:
    run = Run(tmp_path, linear(), rows(), settings(epochs=1, checkpoint_every_s=1e-9))
    steps: list[int] = []
    save = run.checkpoints.save
    run.checkpoints.save = lambda step, *rest, **named: (steps.append(step), save(step, *rest, **named))[1]  # type: ignore[method-assign]
    run.fit()
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8, 8]


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, linear(), rows())
    run.fit()
    run.model = perceptron()
    with pytest.raises(InputError) as caught:
        run.fit(state=run.checkpoints.newest())
    assert caught.value.code == "LL012"


def test_validation_leaves_no_trace_in_the_generators(tmp_path: Path) -> None:
    def drawing(model: nn.Module) -> dict[str, float]:
        torch.rand(7)
        return {"log_loss": 0.0}

    found = []
    for name, validate in (("with", drawing), ("without", None)):
        torch.manual_seed(3)
        run = Run(tmp_path / name, perceptron(dropout=0.5), rows(), validate=validate)
        run.fit(on_epoch=None)
        newest = run.checkpoints.newest()
        assert newest is not None
        found.append({key: value for key, value in newest.tensors.items() if key.startswith("model/")})
    assert far_apart(*found) == 0


class Rivals:
    """Two losses a step: the second part answers the first one's new weights, as a GAN does."""

    name = "rivals"
    best = ("log_loss", "min")

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[Loss]:
        yield Loss(nn.functional.cross_entropy(model[0](*batch.inputs), batch.target), len(batch), part="first")
        yield Loss((model[1](*batch.inputs) - model[0](*batch.inputs).detach()).square().mean(), len(batch), part="second")


def test_each_loss_steps_its_own_part_and_micro_batches_keep_the_turns(tmp_path: Path) -> None:
    from leadline.training.loop import fit
    from leadline.training.optim import build_optimizers
    from leadline.training.precision import Precision

    found = []
    for parts in (1, 4):
        run = Run(tmp_path / str(parts), nn.Sequential(linear(), linear()), rows(), settings(accumulate=parts))
        spec = run.spec.optimizer.model_copy(update={"name": "sgd"})
        parts_of = enumerate(("first", "second"))
        by_part = {name: build_optimizers(run.model[number], spec, device=CPU, prefix=f"{number}.") for number, name in parts_of}
        given: dict[str, Any] = {"precision": Precision(), "device": CPU, "journal": run.journal, "checkpoints": run.checkpoints}
        fit(run.model, Rivals(), run.rows, run.spec, optimizers=by_part, schedule=[0.1] * 16, validate=None, **given)
        found.append(weights(run.model))
        assert {"loss", "loss_first", "loss_second"} <= set(run.trained()[0])
    assert far_apart(*found) < 1e-5


def test_whoever_watches_is_told_each_epoch(tmp_path: Path) -> None:
    told: list[Epoch] = []
    run = Run(tmp_path, linear(), rows(), settings(epochs=3), validate=Scores(INPUTS, TARGET))
    run.fit(on_epoch=told.append)
    assert [(each.number, each.of, each.step) for each in told] == [(1, 3, 8), (2, 3, 16), (3, 3, 24)]
    assert told[0].train_loss is not None
    assert told[0].is_best


def test_blocks_thaw_by_epoch_and_resuming_stands_where_it_stood(tmp_path: Path) -> None:
    from leadline.models import adapt

    def network() -> MLPNet:
        torch.manual_seed(0)
        return MLPNet(encoder(Images(1, 8, 8), "one_hot"), 10, hidden=(16, 16), style=Style(norm="batch", dropout=0.1))

    pictures, target = digits(images=True)
    ends = []
    for name, stops in (("whole", ()), ("broken", (20,))):
        torch.manual_seed(1)
        run = Run(tmp_path / name, network(), Rows(pictures, target, batch_size=64), settings(epochs=4))
        for number in (*stops, None):
            model = run.model = network()
            adapt.freeze_backbone(model)
            options: dict[str, Any] = {"unfreeze": lambda epoch, model=model: adapt.unfrozen_at(model, epoch, every=2)}
            if number is None:
                run.fit(state=run.checkpoints.newest(), **options)
                continue
            with pytest.raises(Stopped):
                run.fit(stop=stop_after(number), **options)
        ends.append(weights(run.model))
    assert far_apart(*ends) == 0
    assert torch.equal(ends[0]["hidden.0.linear.weight"], network().state_dict()["hidden.0.linear.weight"])
    assert not torch.equal(ends[0]["hidden.1.linear.weight"], network().state_dict()["hidden.1.linear.weight"])


def test_recomputed_activations_change_nothing(tmp_path: Path) -> None:
    pictures, target = digits(images=True)
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        model = MLPNet(encoder(Images(1, 8, 8), "one_hot"), 10, hidden=(16, 16), style=Style(norm="batch", dropout=0.2))
        run = Run(tmp_path / str(recompute), model, Rows(pictures, target, batch_size=64), settings(activation_checkpointing=recompute))
        run.fit()
        found.append(weights(run.model))
    assert far_apart(*found) == 0


def test_a_model_that_does_not_compile_is_an_error_with_the_compilers_words() -> None:
    from torch._dynamo.exc import InternalTorchDynamoError

    with pytest.raises(InputError, match=r"train\.compile = true.*no such thing") as caught, compile_errors(settings(compile=True)):
        raise InternalTorchDynamoError("no such thing\n  many lines more")
    assert caught.value.code == "LL022"
