"""Losses agree with torch's own, and are plain means over examples, so that parts of a batch add up."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from leadline.tasks import losses


@pytest.fixture
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(12, 5, generator=draw), torch.randint(5, (12,), generator=draw)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_equals_torchs(drawn: tuple[torch.Tensor, torch.Tensor], smoothing: float) -> None:
    logits, target = drawn
    own = losses.cross_entropy(logits, target, label_smoothing=smoothing).mean()
    assert torch.allclose(own, functional.cross_entropy(logits, target, label_smoothing=smoothing))


def test_soft_targets_of_one_class_equal_hard_ones(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, target = drawn
    weight = torch.tensor([0.5, 1.0, 1.5, 1.0, 1.0])
    soft = functional.one_hot(target, 5).float()
    assert torch.allclose(
        losses.cross_entropy(logits, soft, class_weight=weight), losses.cross_entropy(logits, target, class_weight=weight)
    )


def test_an_ensembles_loss_is_the_mean_of_its_members(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, target = drawn
    members = torch.stack([logits, logits * 2], dim=1)
    expected = (losses.cross_entropy(logits, target) + losses.cross_entropy(logits * 2, target)) / 2
    assert torch.allclose(losses.cross_entropy(members, target), expected)


@pytest.mark.parametrize(("kind", "torchs"), [("mse", functional.mse_loss), ("mae", functional.l1_loss), ("huber", functional.huber_loss)])
def test_regression_equals_torchs(kind: str, torchs: object) -> None:
    values, target = torch.randn(8, 1, generator=torch.Generator().manual_seed(1)), torch.linspace(-2, 2, 8)
    assert torch.allclose(losses.regression(values, target, kind=kind).mean(), torchs(values[:, 0], target))  # type: ignore[operator]


def test_a_large_logit_gives_no_nan() -> None:
    assert torch.isfinite(losses.cross_entropy(torch.tensor([[1e4, 0.0, 0.0]]), torch.tensor([0]))).all()


def test_an_ensemble_learns_from_soft_targets_as_from_hard_ones(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, target = drawn
    members = torch.stack([logits, logits * 2, -logits], dim=1)
    weight = torch.tensor([0.5, 1.0, 1.5, 1.0, 1.0])
    soft = functional.one_hot(target, 5).float()
    hard = losses.cross_entropy(members, target, class_weight=weight)
    assert torch.allclose(losses.cross_entropy(members, soft, class_weight=weight), hard)
