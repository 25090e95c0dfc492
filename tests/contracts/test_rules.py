"""Every rule on the shelf: finds its sick case, and every rule is silent on every well case."""

from __future__ import annotations

import pytest

from leadline.base import find
from leadline.doctor.examine import rules
from leadline.doctor.rule import RANK, Rule

each_rule = pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)


@each_rule
def test_a_rule_finds_its_sick_case_and_names_it_first(rule: Rule) -> None:
    found = rule.sick().run()
    assert found, f"{rule.code} missed: {rule.sick().words}"
    assert found[0].code == rule.code
    assert found[0].cause == rule.cause


@each_rule
def test_every_rule_is_silent_on_a_well_case(rule: Rule) -> None:
    case = rule.well()
    assert [f"{f.code} {f.severity}: {f.explanation}" for f in case.run() if f.severity != "note"] == [], case.words


@each_rule
def test_a_rules_page_says_what_it_sees_why_it_hurts_what_to_do_and_when_it_is_wrong(rule: Rule) -> None:
    page = type(rule).__doc__ or ""
    for part in ("What it sees:", "Why it hurts:", "What to do:", "When it is wrong:"):
        assert part in page
    assert rule.kind in RANK


@each_rule
def test_a_rule_needs_signals_that_are_on_the_shelf(rule: Rule) -> None:
    assert set(rule.needs) <= set(find.names("doctor.signals"))


def test_codes_and_causes_are_each_one_rules_own() -> None:
    codes, causes = [rule.code for rule in rules()], [rule.cause for rule in rules()]
    assert len(set(codes)) == len(codes)
    assert len(set(causes)) == len(causes)


def test_roots_are_rules_too() -> None:
    known = {rule.code for rule in rules()}
    assert {(rule.code, root) for rule in rules() for root in rule.explained_by if root not in known} == set()
