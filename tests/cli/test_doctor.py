"""`leadline doctor` on any log, and the pages of rules: words for people, objects for programs, nothing heavy on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.base.find import names
from leadline.cli.commands.list import SHELVES
from leadline.doctor.pages import pages

from .calling import call


def losses(*values: float) -> str:
    """A CSV of losses."""
    Path("losses.csv").write_text("loss\n" + "\n".join(map(str, values)), encoding="utf-8")
    return "losses.csv"


def test_a_sound_log_is_told_as_such() -> None:
    called = call("doctor", losses(*(2.3 * 0.9**i + 0.1 for i in range(60))))
    assert (called.code, called.err) == (0, "")
    assert "verdict: converged" in called.out
    assert "not examined" in called.out
    assert called.out.splitlines()[-1] == "Next: leadline rule"


def test_a_log_that_ends_in_nan_ends_with_exit_code_3() -> None:
    called = call("doctor", losses(*(2.3 * 0.9**i for i in range(40)), *[float("nan")] * 10))
    assert called.code == 3
    assert "error[N01]" in called.out
    assert called.out.splitlines()[-1] == "Next: leadline rule N01"


def test_json_is_one_object_without_nan() -> None:
    called = call("doctor", losses(1.0, float("nan")), "--format", "json")
    (line,) = called.out.splitlines()
    found = json.loads(line, parse_constant=pytest.fail)
    assert set(found) == {"log", "kind", "series", "notes", "verdict", "findings", "not_examined"}
    assert found["verdict"]["state"] == "too short"


@pytest.mark.parametrize(("name", "code"), [("nowhere", "LL001"), ("picture.png", "LL004")])
def test_what_is_no_log_is_refused(name: str, code: str) -> None:
    Path("picture.png").write_bytes(b"x")
    called = call("doctor", name)
    assert called.code == 2
    assert called.err.startswith(f"error[{code}]")


def test_every_rule_of_the_shelf_has_a_page() -> None:
    found = pages()
    assert len(found) >= len(names("doctor.rules"))
    assert {name.split("_")[0].upper() for name in names("doctor.rules")} <= set(found)
    assert [page.code for page in found.values() if not page.text or not page.cause.isidentifier()] == []


def test_a_page_is_found_by_code_and_by_cause() -> None:
    by_code, by_cause = call("rule", "t01"), call("rule", "missing_zero_grad")
    assert by_code == by_cause
    assert "zero_grad" in by_code.out
    assert json.loads(call("rule", "T01", "--format", "json").out)["cause"] == "missing_zero_grad"


def test_rules_are_listed_with_the_errors() -> None:
    listed = call("list", "rules").out
    assert "  T01 " in listed
    assert "  LL017 " in listed
    assert SHELVES["rules"] is None
