"""The screen: what a command says goes through here, as plain text for people, as JSON for programs, or not at all."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import click

Format = Literal["human", "json", "quiet"]


class Screen:
    """Where a command prints. human: all on stdout. json: objects on stdout, progress on stderr. quiet: errors only.

    Of several processes under torchrun only the first one speaks.
    """

    def __init__(self, format: Format) -> None:
        self.format: Format = format if os.environ.get("RANK", "0") == "0" else "quiet"
        self._coloured = None if "NO_COLOR" not in os.environ else False

    @property
    def is_json(self) -> bool:
        return self.format == "json"

    def say(self, line: str = "") -> None:
        """A line of progress: on stderr when stdout belongs to JSON."""
        if self.format != "quiet":
            click.echo(line, err=self.is_json, color=self._coloured)

    def show(self, line: str = "") -> None:
        """A line of the result, for people; programs get the same through `give`."""
        if self.format == "human":
            click.echo(line, color=self._coloured)

    def flow(self, text: str) -> None:
        """A piece of a text for people that comes bit by bit, without a line's end."""
        if self.format == "human":
            click.echo(text, nl=False, color=self._coloured)

    def head(self, line: str) -> None:
        """A heading."""
        self.show(click.style(line, bold=True))

    def section(self, title: str, lines: Sequence[str]) -> None:
        """Lines under a heading, with an empty line before; nothing when there are none."""
        if lines:
            self.show()
            if title:
                self.head(title)
            self.show("\n".join(lines))

    def give(self, value: Any) -> None:
        """A result for programs: one JSON object on one line of stdout; nothing in the other formats."""
        if self.is_json:
            click.echo(as_json(value))

    def answer(self, text: str) -> None:
        """What a command exists to print (a schema, a page): on stdout in every format but quiet, as it is."""
        if self.format != "quiet":
            click.echo(text.rstrip("\n"))

    def next(self, *words: str) -> None:
        """The last line: a command that can be pasted."""
        self.show(click.style("Next:", bold=True) + f" {shlex.join(words)}")


def as_json(value: Any) -> str:
    """One line of JSON; NaN becomes null, paths and NumPy values become plain."""
    import orjson

    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()


def columns(rows: Iterable[Sequence[str]], *, indent: int = 2) -> list[str]:
    """Rows as aligned columns, two spaces between; the last one is cut to the width of the terminal."""
    table = [[str(cell) for cell in row] for row in rows]
    if not table:
        return []
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]) - 1)]
    room = shutil.get_terminal_size((140, 24)).columns
    pad = " " * indent
    lines = (pad + "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False)) + row[-1] for row in table)
    return [cut(line.rstrip(), room) for line in lines]


def cut(text: str, width: int) -> str:
    """The text, at most `width` characters long."""
    return text if len(text) <= width else text[: width - 1] + "…"


def number(value: Any) -> str:
    """A score or setting as people write it: four digits that matter, thousands apart."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 10_000 else f"{value:.4g}"
