"""Predicting all examples: complete, in order, in eval mode, and without a trace."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from leadline.base.errors import LeadlineError
from leadline.evaluate.evaluate import predict_all, scores
from leadline.evaluate.groups import group_scores
from leadline.evaluate.predictions import Predictions
from leadline.record.batch import Batch

from .made import Diabetes, Net, Wine, batches, said


def looked(batch_size: int = 17) -> tuple[Predictions, Wine, Net]:
    data = Wine()
    torch.manual_seed(0)
    net = Net(13, 3)
    return predict_all(net, data.task, batches=batches(data, data.test, batch_size)), data, net


def test_every_example_is_predicted_once_and_in_order() -> None:
    found, data, _ = looked()
    assert np.array_equal(found.index, data.test)
    assert np.array_equal(found.targets, data.encoded[data.test])
    assert found.outputs["probabilities"].shape == (len(data.test), 3)


def test_the_batch_size_does_not_change_the_answer() -> None:
    small, large = looked(7)[0], looked(1000)[0]
    assert np.allclose(small.scored, large.scored, atol=1e-6)
    assert small.loss == pytest.approx(large.loss, abs=1e-6)


def test_the_mean_loss_is_that_of_the_examples() -> None:
    found, _, _ = looked()
    assert found.loss == pytest.approx(found.losses.mean(), abs=1e-6)
    assert scores(found, Wine().task, metrics=["log_loss"])["log_loss"] == pytest.approx(found.loss, abs=1e-6)


def test_the_model_and_the_generators_are_left_as_they_were() -> None:
    data, net = Wine(), Net(13, 3)
    net.train()
    net.net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[union-attr]

    def restless() -> object:
        for batch in batches(data, data.test, 20):
            random.random(), np.random.rand(), torch.rand(3)
            yield batch

    predict_all(net, data.task, batches=restless())  # type: ignore[arg-type]
    assert net.training
    assert net.net[0].training
    assert not net.net[1].training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_modes_come_back_when_the_model_fails() -> None:
    class Failing(Net):
        def forward(self, numbers: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no")

    data, net = Wine(), Failing(13, 3)
    with pytest.raises(RuntimeError, match="no"):
        predict_all(net, data.task, batches=batches(data, data.test, 20))
    assert net.training
    assert torch.is_grad_enabled()


def test_numbers_come_back_in_the_users_units() -> None:
    data = Diabetes()
    found = predict_all(Net(10, 1), data.task, batches=batches(data, data.test, 50))
    assert np.allclose(found.truth, data.raw[data.test], atol=1e-3)
    rmse = scores(found, data.task)["rmse"]
    assert rmse == pytest.approx(float(np.sqrt(np.square(found.scored - data.raw[data.test]).mean())), abs=1e-3)


def test_a_batch_that_does_not_fit_is_halved_and_said() -> None:
    class Small(Net):
        def forward(self, numbers: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
            if len(numbers) > 16:
                raise torch.OutOfMemoryError("too large")
            return super().forward(numbers, codes)

    data = Wine()
    torch.manual_seed(0)
    found = predict_all(Small(13, 3), data.task, batches=batches(data, data.test, 58))
    assert found.halved == 3
    assert np.allclose(found.scored, looked()[0].scored, atol=1e-6)
    assert np.array_equal(found.index, data.test)


def test_one_example_that_does_not_fit_ends_with_a_clear_error() -> None:
    class Tiny(Net):
        def forward(self, numbers: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("too large")

    data = Wine()
    with pytest.raises(LeadlineError, match="one example") as caught:
        predict_all(Tiny(13, 3), data.task, batches=batches(data, data.test, 4))
    assert caught.value.code == "LL032"


def test_no_batch_is_a_clear_error() -> None:
    none: list[Batch] = []
    with pytest.raises(LeadlineError, match="no example"):
        predict_all(Net(13, 3), Wine().task, batches=none)


def test_autocast_changes_the_precision_and_little_else() -> None:
    data = Wine()
    torch.manual_seed(0)
    net = Net(13, 3)
    exact = predict_all(net, data.task, batches=batches(data, data.test, 20))
    found = predict_all(net, data.task, batches=batches(data, data.test, 20), autocast=torch.autocast("cpu", dtype=torch.bfloat16))
    assert 0 < np.abs(exact.scored - found.scored).max() < 0.05


def test_outputs_that_are_not_finite_have_no_scores() -> None:
    found = said(np.array([[0.5, 0.5], [np.nan, np.nan]]), np.array([0, 1]))
    assert scores(found, Wine().task, metrics=["accuracy", "roc_auc"]) == {"loss": None, "accuracy": None, "roc_auc": None}


def test_groups_have_scores_of_their_own_and_one_class_groups_say_so() -> None:
    found = said(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([0, 1, 0]))
    groups = group_scores(found, np.array(["a", "a", None], dtype=object), by="sex", task=Wine().task, metrics=["accuracy", "roc_auc"])
    assert groups["by"] == "sex"
    assert groups["scores"]["a"]["accuracy"] == 1.0
    assert groups["scores"]["missing"]["accuracy"] == 0.0
    assert groups["scores"]["missing"]["roc_auc"] is None
