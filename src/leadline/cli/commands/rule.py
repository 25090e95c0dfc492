"""`leadline rule`: the page of a code, be it a fault that the doctor names or an error."""

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
    """What a finding or an error means and what helps.

    CODE is what stands in brackets: T01 behind a finding of the doctor, LL017 behind an error. The cause's own word will do too
    (missing_zero_grad). Without one, all codes are listed.
    """
    from leadline.doctor.pages import pages

    faults = pages()
    if code is None:
        screen.head("faults that the doctor names")
        screen.show("\n".join(columns((name, page.title, page.cause) for name, page in faults.items())))
        screen.section("errors", columns((name, page.title) for name, page in CODES.items()))
        screen.give({**{name: page._asdict() for name, page in faults.items()}, **{name: page._asdict() for name, page in CODES.items()}})
        return screen.next("leadline", "rule", next(iter(faults), "LL017"))
    name = next((fault for fault, page in faults.items() if page.cause == code.lower()), code.upper())
    if name in faults:
        fault = faults[name]
        screen.head(f"{name}  {fault.title}  ({fault.cause})")
        screen.show("\n".join(_wrapped(paragraph) for paragraph in fault.text.splitlines() if paragraph.strip()))
        screen.give(fault._asdict())
        return screen.next("leadline", "rule")
    if name not in CODES:
        hint = did_you_mean(name, [*faults, *CODES], else_say="leadline rule  lists them all")
        raise InputError("LL023", f"there is no code '{code}'", where="command line", help=hint)
    page = CODES[name]
    screen.head(f"{name}  {page.title}")
    screen.show(_wrapped(page.text))
    screen.give({"code": name, **page._asdict()})
    screen.next("leadline", "rule")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  ")
