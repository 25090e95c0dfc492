"""The layer table says what a person would count by hand."""

from __future__ import annotations

import json

import torch

from leadline.models import adapt, build
from leadline.models.summary import summary
from leadline.record.ports import Classes, Images, Rows

DIGITS = Images(1, 28, 28)


def test_a_convolution_costs_two_operations_per_multiply_and_add() -> None:
    model = build.build("cnn", {"widths": [4, 8, 8]}, DIGITS, Classes(10), seed=0)
    told = summary(model, (torch.zeros(3, 1, 28, 28),))
    first = told.rows[0]
    assert (first.kind, first.shape, first.parameters) == ("Conv2d", (3, 4, 28, 28), 36)
    assert first.flops == 3 * 2 * 9 * 4 * 28 * 28


def test_frozen_weights_are_counted_apart() -> None:
    model = build.build("mlp", {"hidden": [512, 256]}, DIGITS, Classes(10), seed=0)
    adapt.freeze_backbone(model)
    told = summary(model, (torch.zeros(2, 1, 28, 28),))
    assert (told.parameters, told.trainable) == (535_818, 2_570)


def test_deep_networks_fold_to_their_blocks_and_still_add_up() -> None:
    model = build.build("timm/test_vit", {"size": 64}, Images(3, 32, 32), Classes(10), seed=0)
    deep = build.build("mlp", {"hidden": [4] * 120}, Rows(4), Classes(2), seed=0)
    told = summary(deep, (torch.zeros(2, 4), torch.zeros(2, 0, dtype=torch.int64)))
    lines = told.table().splitlines()
    assert len(lines) <= 43
    assert any(line.startswith("... ") for line in lines)
    assert len(summary(model, (torch.zeros(1, 3, 32, 32),)).table().splitlines()) <= 43


def test_columns_are_aligned_and_totals_stand_last() -> None:
    model = build.build("cnn", {}, DIGITS, Classes(10), seed=0)
    lines = summary(model, (torch.zeros(1, 1, 28, 28),)).table().splitlines()
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[-2].startswith("total")
    assert "278,890" in lines[-2]


def test_the_summary_is_plain_json() -> None:
    model = build.build("linear", {}, Rows(3, (2,)), Classes(2), seed=0)
    told = summary(model, (torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.int64)))
    assert json.loads(json.dumps(told.to_dict()))["parameters"] == 12
