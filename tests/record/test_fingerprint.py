"""What changes a run's bits is noticed and named; what does not is left in peace."""

from __future__ import annotations

from typing import Any

import pytest

from leadline.base.errors import InputError
from leadline.record.fingerprint import differences, fingerprint, refuse_change

RECIPE: dict[str, Any] = {
    "schema": 1,
    "data": {"source": "photos/", "cache": "memory", "workers": 0, "split": {"val": 0.15}},
    "train": {"batch_size": 64, "optimizer": {"name": "adamw", "betas": (0.9, 0.999)}, "checkpoint_every_s": 60.0},
    "evaluate": {"metrics": "auto"},
}


def made(recipe: dict[str, Any] = RECIPE, *, data: str = "a" * 64, torch: str = "2.15.0", threads: int = 1) -> dict[str, Any]:
    return fingerprint(recipe, {"train": data}, versions={"torch": torch}, threads=threads, device="cpu")


def with_data(**values: Any) -> dict[str, Any]:
    return {**RECIPE, "data": {**RECIPE["data"], **values}}


def test_equal_runs_have_equal_fingerprints() -> None:
    assert made() == made()
    assert differences(made(), made()) == []


def test_where_the_data_lies_and_how_it_is_cached_changes_nothing() -> None:
    moved = {**with_data(source="elsewhere/", cache="none", workers=4), "evaluate": {"metrics": ["ece"]}}
    assert differences(made(), made(moved)) == []


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (made({**RECIPE, "train": {**RECIPE["train"], "batch_size": 32}}), "train.batch_size was 64, and is now 32"),
        (made(with_data(split={"val": 0.2})), "data.split.val was 0.15, and is now 0.2"),
        (made({**RECIPE, "task": "classify_images"}), 'task was absent, and is now "classify_images"'),
        (made(data="b" * 64), "data train was aaaaaaaaaaaa…, and is now bbbbbbbbbbbb…"),
        (made(torch="2.16.0"), 'version of torch was "2.15.0", and is now "2.16.0"'),
        (made(threads=2), "threads was 1, and is now 2"),
    ],
)
def test_each_change_is_one_sentence(now: dict[str, Any], sentence: str) -> None:
    assert differences(made(), now) == [sentence]


def test_a_change_is_refused_with_its_name() -> None:
    refuse_change(made(), made(), where="runs/x")
    with pytest.raises(InputError, match="threads was 1, and is now 2") as caught:
        refuse_change(made(), made(threads=2), where="runs/x")
    assert caught.value.code == "LL012"
    assert "--allow-change" in (caught.value.help or "")
