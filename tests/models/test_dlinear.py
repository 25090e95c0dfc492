"""DLinear: the shape of its port, what its normalisation promises, and that it learns what a linear map can."""

from __future__ import annotations

import pytest
import torch

from leadline.models import build
from leadline.record.ports import Frames, Values

TAKES = Frames(3, 20)
LENGTHS = torch.full((8,), 20)


def _build(values: int = 15, **options: object) -> torch.nn.Module:
    return build.build("dlinear", dict(options), TAKES, Values(values), seed=0)


def _series(count: int = 8) -> torch.Tensor:
    return torch.randn(count, 20, 3, generator=torch.Generator().manual_seed(0)).cumsum(1)


@pytest.mark.parametrize("values", [15, 7])  # five steps of three columns, and values that are no steps of them
@pytest.mark.parametrize("options", [{}, {"trend": 0}, {"normalise": "last"}, {"normalise": "none", "trend": 4}])
def test_it_gives_the_values_asked_for_and_every_weight_learns(values: int, options: dict[str, object]) -> None:
    model = _build(values, **options)
    said = model(_series(), LENGTHS)
    assert said.shape == (8, values)
    said.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@pytest.mark.parametrize(("normalise", "factor"), [("instance", 3.0), ("last", 1.0)])
def test_a_window_on_another_level_is_forecast_alike_on_that_level(normalise: str, factor: float) -> None:
    model, series = _build(normalise=normalise), _series()
    torch.nn.init.normal_(model.get_parameter("output.weight"), std=0.1)
    plain, moved = model(series, LENGTHS), model(series * factor + 100, LENGTHS)
    assert torch.allclose(moved, plain * factor + 100, rtol=1e-3, atol=1e-2)


def test_columns_do_not_see_each_other() -> None:
    model, series = _build(), _series()
    torch.nn.init.normal_(model.get_parameter("output.weight"), std=0.1)
    changed = series.clone()
    changed[..., 1] += torch.randn(8, 20)
    one, two = (model(each, LENGTHS).view(8, 5, 3) for each in (series, changed))
    assert torch.equal(one[..., [0, 2]], two[..., [0, 2]])
    assert not torch.allclose(one[..., 1], two[..., 1])


def test_untrained_it_says_about_the_mean_of_the_window() -> None:
    series = _series() + 50
    said = _build()(series, LENGTHS).view(8, 5, 3)
    assert torch.allclose(said, series.mean(1, keepdim=True).expand_as(said), atol=1e-3)


def test_a_shorter_batch_is_filled_up() -> None:
    model, series = _build(normalise="none"), _series()[:, :12]
    filled = torch.nn.functional.pad(series, (0, 0, 0, 8))
    assert torch.equal(model(series, LENGTHS - 8), model(filled, LENGTHS - 8))
