"""The front door: help, formats, flags before the verb, exit codes of what nobody foresaw."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from leadline.base.find import names
from leadline.cli import main as front
from leadline.cli.screen import as_json, columns, number
from leadline.recipe import Recipe, commented, read

from .calling import call
from .made import table

VERBS = names("cli.commands")


def test_help_names_every_verb_and_needs_no_argument() -> None:
    called = call()
    assert called.code == 0
    assert called.out == call("--help").out
    assert all(f"\n  {verb} " in called.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_that_ends_well(verb: str) -> None:
    called = call(verb, "--help")
    assert (called.code, called.err) == (0, "")
    assert f"leadline {verb}" in called.out
    assert "--format human|json|quiet" in called.out


def test_the_module_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "leadline", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("leadline ")


def test_flags_may_stand_before_the_verb() -> None:
    before, after = call("--format", "json", "rule", "LL001"), call("rule", "LL001", "--format=json")
    assert before == after
    assert json.loads(before.out)["code"] == "LL001"


READY = [
    ["rule", "LL017"],
    ["rule", "T01"],
    ["rule", "missing_zero_grad"],
    ["rule"],
    ["list"],
    ["list", "tasks"],
    ["list", "metrics"],
    ["list", "models", "mlp"],
    ["list", "rules"],
]


@pytest.mark.parametrize("words", READY)
def test_every_command_ends_with_one_line_that_can_be_pasted(words: list[str]) -> None:
    called = call(*words)
    *_, last = called.out.splitlines()
    assert called.out.count("Next:") == 1
    assert last.startswith("Next: leadline ")
    assert call(*shlex.split(last)[2:]).code == 0


@pytest.mark.parametrize("words", READY)
def test_with_json_every_line_of_stdout_is_an_object_and_stderr_is_empty(words: list[str]) -> None:
    called = call(*words, "--format", "json")
    assert [line for line in called.out.splitlines() if not isinstance(json.loads(line), dict)] == []
    assert called.err == ""


@pytest.mark.parametrize("words", READY)
def test_quiet_says_nothing(words: list[str]) -> None:
    assert call(*words, "--format", "quiet") == call(*words, "--format=quiet")
    assert call(*words, "--format", "quiet").out == ""


def test_new_writes_a_recipe_that_reads_back_and_never_writes_over_a_file() -> None:
    called = call("new", table(), "target=label", "epochs=3")
    assert called.code == 0
    recipe = read("recipe.yaml")
    assert (recipe.data.source, recipe.data.target, recipe.train.epochs) == ("rows.csv", "label", 3)
    assert Path("recipe.yaml").read_text(encoding="utf-8") == commented(recipe)
    assert json.loads(Path("recipe.schema.json").read_text(encoding="utf-8"))["title"] == "leadline recipe"
    assert call("new", "rows.csv").code == 2


def test_schema_is_printed_as_json_in_every_format() -> None:
    assert json.loads(call("schema").out) == json.loads(call("schema", "--format", "json").out)


def test_env_tells_versions_and_devices() -> None:
    found = json.loads(call("env", "--format", "json").out)
    assert found["devices"][0]["name"] == "cpu"
    assert {"python", "torch", "leadline"} <= set(found["versions"])


def fails_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(front, "_run", run)


def test_an_unforeseen_error_is_one_line_with_the_way_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(ZeroDivisionError("division\nby zero"), monkeypatch)
    called = call("rule")
    assert called.code == 1
    assert called.err.startswith("error[LL000]: leadline itself failed: ZeroDivisionError: division by zero\n")
    assert "--debug" in called.err
    assert "Traceback" in call("rule", "--debug").err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(KeyboardInterrupt(), monkeypatch)
    assert call("rule").code == 130


def test_a_full_disk_is_said_wherever_it_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(OSError(errno.ENOSPC, "No space left on device", "runs/x"), monkeypatch)
    called = call("rule")
    assert (called.code, called.err[:12]) == (1, "error[LL008]")


def test_a_reader_that_goes_away_ends_the_command_in_silence() -> None:
    script = f"{shlex.quote(sys.executable)} -m leadline rule | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "faults that the doctor names\n"
    assert done.stderr == ""


def test_only_the_first_of_several_processes_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert call("rule").out == ""


def test_without_a_terminal_there_is_no_colour_and_no_carriage_return() -> None:
    done = subprocess.run([sys.executable, "-m", "leadline", "list"], capture_output=True, check=True, env={**os.environ})
    assert b"\x1b" not in done.stdout
    assert b"\r" not in done.stdout


def test_numbers_are_shown_with_the_digits_that_matter() -> None:
    values = (0.123456, 45100.4, 12345678, 1.0, "x", True)
    assert [number(value) for value in values] == ["0.1235", "45,100", "12,345,678", "1", "x", "True"]


def test_columns_are_aligned() -> None:
    assert columns([("a", "1"), ("long", "2")]) == ["  a     1", "  long  2"]
    assert columns([]) == []


def test_json_has_no_word_for_nan() -> None:
    assert as_json({"loss": float("nan"), "path": Path("a")}) == '{"loss":null,"path":"a"}'


def test_a_default_recipe_can_be_commented() -> None:
    assert "source: null" in commented(Recipe())
