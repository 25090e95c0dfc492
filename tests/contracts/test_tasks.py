"""Every task on the shelf keeps the contract: it binds, encodes, gives losses, predictions and answers, and comes back from its JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.record.batch import Batch
from leadline.record.facts import AudioFacts, Facts, SeriesFacts, TextFacts
from leadline.record.ports import Classes
from leadline.tasks.task import Task, Wishes, restore

SHELF = names("tasks.kinds")
TARGETS = {"classes": np.array(["a", "b", "b", "c"] * 5, dtype=object), "numbers": np.linspace(100, 300, 20)}
BESIDE = [name for name in SHELF if find("tasks.kinds", name).learns in TARGETS]
"""Tasks whose targets stand beside the examples, one label or number each; the others have tests of their own."""
DETAILS = {
    "text": {"text": TextFacts("documents", (3, 40, 400))},
    "audio": {"audio": AudioFacts({8000: 20}, (0.2, 0.5, 2.0))},
    "series": {"series": SeriesFacts("date", 3600.0, "2024-01-01", "2024-02-01", 700, ("load", "oil"), 48, 12, 24)},
}


def _facts(kind: type[Task], *, learns: str | None = None, data: str | None = None) -> Facts:
    holds = learns or kind.learns
    classes = ("a", "b", "c") if holds == "classes" else ()
    about: dict[str, Any] = DETAILS.get(data or kind.data, {})
    target = None if holds is None else "answer"
    return Facts(data or kind.data, "made", 20, target, holds, classes, (5, 10, 5)[: len(classes)], **about)  # type: ignore[arg-type]


def _bound(name: str) -> Task:
    kind = find("tasks.kinds", name)
    return kind.bind(_facts(kind), TARGETS[kind.learns])


@pytest.mark.parametrize("name", SHELF)
def test_a_task_is_not_guessed_for_data_of_another_kind(name: str) -> None:
    kind = find("tasks.kinds", name)
    others = {"images", "table", "text", "audio", "series"} - {kind.data}
    assert [data for data in sorted(others) if kind.guess(_facts(kind, data=data)) is not None] == []


@pytest.mark.parametrize("name", SHELF)
def test_a_task_names_parts_that_are_there(name: str) -> None:
    kind = find("tasks.kinds", name)
    assert kind.prepares in names("data.preparers")
    assert kind.model is None or kind.model in names("models.zoo")
    assert set(kind.metrics) <= set(names("evaluate.metrics"))
    assert kind.best[0] in (*kind.metrics, "loss")


@pytest.mark.parametrize("name", BESIDE)
def test_a_task_guesses_its_own_data_and_no_other(name: str) -> None:
    kind = find("tasks.kinds", name)
    assert kind.guess(_facts(kind)) is not None
    other = {"classes": "numbers", "numbers": "classes"}[kind.learns]
    assert kind.guess(_facts(kind, learns=other)) is None


@pytest.mark.parametrize("name", BESIDE)
def test_data_of_another_kind_is_refused(name: str) -> None:
    kind = find("tasks.kinds", name)
    other = {"classes": "numbers", "numbers": "classes"}[kind.learns]
    with pytest.raises(InputError):
        kind.bind(_facts(kind, learns=other), TARGETS[other])


@pytest.mark.parametrize("name", BESIDE)
def test_perfect_outputs_come_back_as_the_users_targets(name: str) -> None:
    task = _bound(name)
    targets = TARGETS[task.learns]
    encoded = torch.from_numpy(task.encode(targets))
    outputs = nn.functional.one_hot(encoded, 3).float() * 20 if isinstance(task.gives, Classes) else encoded[:, None]
    answers = task.answers(task.predictions(outputs))
    if isinstance(task.gives, Classes):
        assert [answer["label"] for answer in answers] == targets.tolist()
    else:
        assert np.allclose([answer["value"] for answer in answers], targets, rtol=1e-5)
    json.dumps(answers)


@pytest.mark.parametrize("name", BESIDE)
def test_a_loss_is_a_mean_over_its_examples(name: str) -> None:
    task = _bound(name)
    width = task.gives.num_classes if isinstance(task.gives, Classes) else 1
    batch = Batch(
        (torch.randn(20, width, generator=torch.Generator().manual_seed(0)),),
        torch.from_numpy(task.encode(TARGETS[task.learns])),
        torch.arange(20),
    )
    (whole,) = task.losses(nn.Identity(), batch)
    parts = [loss for part in batch.parts(3) for loss in task.losses(nn.Identity(), part)]
    assert torch.allclose(whole.value, sum(loss.value * loss.units for loss in parts) / 20)  # type: ignore[arg-type]
    assert whole.units == 20


@pytest.mark.parametrize("name", BESIDE)
def test_a_task_comes_back_from_its_json(name: str) -> None:
    task = _bound(name)
    again = restore(json.loads(json.dumps(task.to_dict())))
    assert again.to_dict() == task.to_dict()
    assert again.gives == task.gives


def test_balanced_weights_average_one_over_the_training_rows() -> None:
    kind = find("tasks.kinds", "classify_table")
    task = kind.bind(_facts(kind), TARGETS["classes"], Wishes(class_weights="balanced"))
    codes = task.encode(TARGETS["classes"])
    assert np.mean(np.array(task.class_weights)[codes]) == pytest.approx(1)
    assert task.class_weights[0] == pytest.approx(2 * task.class_weights[1])


def test_one_class_only_is_refused() -> None:
    kind = find("tasks.kinds", "classify_table")
    with pytest.raises(InputError) as refused:
        kind.bind(Facts("table", "made", 5, "answer", "classes", ("a",), (5,)), np.array(["a"] * 5, dtype=object))
    assert refused.value.code == "LL015"
