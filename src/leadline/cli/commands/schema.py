"""`leadline schema`: the form of recipes, for editors and programs."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli.screen import Screen, as_json
from leadline.cli.verb import verb


@verb("Reference")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there.  [default: print it]")
def command(screen: Screen, out: Path | None) -> None:
    """Print the JSON Schema of recipes.

    It holds every key with its sentence and limits, the names of all parts, and the settings of each network.
    """
    from leadline.recipe import schema

    text = as_json(schema())
    if out is None:
        return screen.answer(text)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    screen.give({"schema": str(out)})
    screen.show(f"wrote {out}")
    screen.next("leadline", "new", "DATA")
