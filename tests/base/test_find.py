"""Names become parts, and misspelt names become help."""

from __future__ import annotations

import pytest

from leadline.base import find
from leadline.base.errors import InputError

SHELVES = ["models.zoo", "tasks.kinds", "data.sources", "evaluate.metrics"]


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_part_of_a_shelf_is_found_by_its_file_name(shelf: str) -> None:
    for name in find.names(shelf):
        assert find.find(shelf, name).__name__.lower() == name.replace("_", "")


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_part_has_a_first_sentence(shelf: str) -> None:
    assert [name for name, text in find.sentences(shelf).items() if not text.endswith(".")] == []


@pytest.mark.parametrize("name", ["acuracy", "accuracy.py", "../accuracy", "os", "__init__", ""])
def test_what_is_not_on_the_shelf_is_never_imported(name: str) -> None:
    with pytest.raises(InputError, match="LL023"):
        find.find("evaluate.metrics", name)


def test_a_package_that_is_no_extra_is_not_hidden_behind_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError):
        find.module("no_such_package_anywhere")


def test_an_extra_that_is_missing_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find.EXTRAS, "no_such_package_anywhere", "vision")
    with pytest.raises(InputError, match=r'pip install "leadline\[vision\]"'):
        find.module("no_such_package_anywhere")
