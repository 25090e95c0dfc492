"""What every verb has in common: its flags, its screen, and where it stands in the help."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from leadline.base.errors import InputError
from leadline.cli.screen import Screen

GROUPS = ("Start", "Run", "Afterwards", "Reference")
FORMATS = ("human", "json", "quiet")
DEVICES = ("auto", "cpu", "cuda", "mps")


class Verb(click.Command):
    """A command of leadline; the file that defines it bears its name."""

    group = GROUPS[0]


def verb(group: str, *flags: str) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function the command of its file. flags: of --out, --seed, --device, those that mean something here.

    The function is called with `screen` and its own arguments; what it returns is the exit code (None: 0).
    """

    def make(function: Callable[..., Any]) -> Verb:
        for flag in reversed(("format", "debug", *flags)):
            function = FLAGS[flag](function)
        name = function.__module__.rsplit(".", 1)[-1]
        command = click.command(name, cls=Verb)(function)
        command.group = group
        return command

    return make


def run_argument(name: str = "run", *, many: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A run folder, or its name under ./runs, checked to be one before anything heavy is imported; InputError LL011 otherwise."""

    def check(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        from leadline.record.run import Run

        return [Run.open(text).folder for text in value] if many else Run.open(value).folder

    return click.argument(name, metavar="RUN..." if many else name.upper(), nargs=-1 if many else 1, required=True, callback=check)


def _screen(ctx: click.Context, param: click.Parameter, value: str) -> Screen:
    return Screen(_one_of("--format", value, FORMATS))


def _device(ctx: click.Context, param: click.Parameter, value: str) -> str:
    return value if re.fullmatch(r"cuda:\d+", value) else _one_of("--device", value, DEVICES)


def _one_of(option: str, value: str, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise InputError("LL035", f"{option} {value}: there is no such choice", where="command line", help=f"one of {', '.join(choices)}")
    return value


FLAGS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "format": click.option(
        "--format", "screen", metavar="|".join(FORMATS), default="human", callback=_screen, help="How to print.  [default: human]"
    ),
    "debug": click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
    "out": click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's own folder.  [default: runs/TIME-WORDS]"),
    "seed": click.option("--seed", type=click.IntRange(0, 2**31 - 1), metavar="N", help="Seed of all chance; the same as train.seed=N."),
    "device": click.option(
        "--device", metavar="|".join(DEVICES), default="auto", callback=_device, help="Where to compute.  [default: auto]"
    ),
}
