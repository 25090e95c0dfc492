"""Every source on the shelf keeps the contract: it knows its own tiny example, and what it opens agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.data.audit import audit
from leadline.data.prepare import Preparer
from leadline.data.settings import DataSpec, SplitSpec
from leadline.data.source import Examples, Selection, recognise
from leadline.data.split import split, verify_disjoint
from leadline.flow.prepare import choose_task
from leadline.recipe import Recipe

SHELF = names("data.sources")
Opened = tuple[str, Any, Examples]


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """A monkeypatch that lasts for the file."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", params=SHELF)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch) -> Opened:
    """The source's tiny example, opened as the flow does it."""
    source = find("data.sources", request.param)
    folder = tmp_path_factory.mktemp(request.param)
    monkeypatch_module.setenv("TORCH_HOME", str(folder))  # where torchvision's sets are looked for
    try:
        target = source.tiny(folder)
        return request.param, target, source.open(target, DataSpec(source=target))
    except InputError as error:
        if error.code == "LL024":
            pytest.skip(error.message)
        raise


def _preparer(examples: Examples) -> type[Preparer]:
    kind, _ = choose_task(Recipe(), examples.facts)
    return find("data.preparers", kind.prepares)


def test_it_recognises_its_own_example(opened: Opened) -> None:
    name, target, _ = opened
    assert recognise(target).name == name


def test_it_leaves_a_path_that_is_not_there_alone(opened: Opened, tmp_path: Path) -> None:
    assert find("data.sources", opened[0]).recognises(str(tmp_path / "nowhere")) is None


def test_facts_agree_with_the_examples(opened: Opened) -> None:
    facts, examples = opened[2].facts, opened[2]
    assert len(examples) == facts.num_examples == len(examples.names)
    assert (examples.targets is None) == (facts.target_kind is None)
    if facts.target_kind == "classes":
        labels, counts = np.unique(examples.targets.astype(str), return_counts=True)
        assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == dict(zip(facts.classes, facts.class_counts, strict=True))
    if facts.given_split:
        assert examples.given_split is not None
        assert {side: int((examples.given_split == side).sum()) for side in facts.given_split} == facts.given_split


def test_examples_come_in_any_order(opened: Opened) -> None:
    examples = opened[2]
    preparer = _preparer(examples).fit(examples, np.arange(len(examples)), DataSpec())
    rows = np.array([3, 0, 2, 0])
    together = preparer.store(examples.fetch(rows))
    alone = [preparer.store(examples.fetch(rows[i : i + 1])) for i in range(len(rows))]
    for part, array in enumerate(together):
        assert np.array_equal(array, np.concatenate([stored[part] for stored in alone]), equal_nan=array.dtype.kind == "f")


def test_the_preparer_comes_back_from_its_json(opened: Opened) -> None:
    examples = opened[2]
    kind = _preparer(examples)
    preparer = kind.fit(examples, np.arange(len(examples)), DataSpec())
    again = kind.from_dict(preparer.to_dict())
    raw = examples.fetch(np.arange(4))
    assert all(np.array_equal(one, two) for one, two in zip(preparer.store(raw), again.store(raw), strict=True))
    assert again.gives == preparer.gives


def test_content_hashes_are_the_examples_own(opened: Opened) -> None:
    examples = opened[2]
    hashes = examples.content_hashes()
    assert hashes.dtype == np.uint64
    assert np.array_equal(Selection(examples, np.array([2, 1])).content_hashes(), hashes[[2, 1]])


def test_it_can_be_cut_cleanly(opened: Opened) -> None:
    examples = opened[2]
    strata = examples.targets.astype(str) if examples.targets is not None and examples.facts.target_kind == "classes" else None
    parts = split(examples, SplitSpec(given=False), seed=0, strata=strata)
    assert verify_disjoint(parts, examples)["clean"]
    assert min(len(side) for side in parts.sides().values()) > 0


def test_it_can_be_audited(opened: Opened, recwarn: pytest.WarningsRecorder) -> None:
    for problem in audit(opened[2]):
        assert problem.count > 0
        assert problem.explanation
