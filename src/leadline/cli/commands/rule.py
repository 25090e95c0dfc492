"""`leadline rule`: the page of a code."""

from __future__ import annotations

import textwrap

import click

from leadline.base.codes import CODES
from leadline.base.errors import InputError
from leadline.base.nearest import did_you_mean
from leadline.cli.screen import Screen, columns
from leadline.cli.verb import verb


@verb("Reference")
@click.argument("code", required=False, metavar="[CODE]")
def command(screen: Screen, code: str | None) -> None:
    """What an error code means and what helps.

    CODE is what stands in brackets behind `error`, such as LL017. Without one, all codes are listed.
    """
    if code is None:
        screen.show("\n".join(columns((name, page.title) for name, page in CODES.items())))
        screen.give({name: page._asdict() for name, page in CODES.items()})
        return screen.next("leadline", "rule", "LL017")
    name = code.upper()
    if name not in CODES:
        hint = did_you_mean(name, CODES, else_say="leadline rule  lists them all")
        raise InputError("LL023", f"there is no code '{code}'", where="command line", help=hint)
    page = CODES[name]
    screen.head(f"{name}  {page.title}")
    screen.show(textwrap.fill(page.text, 100, initial_indent="  ", subsequent_indent="  "))
    screen.give({"code": name, **page._asdict()})
    screen.next("leadline", "rule")
