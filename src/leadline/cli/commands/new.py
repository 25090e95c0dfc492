"""`leadline new`: a recipe to edit."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.base.errors import InputError
from leadline.cli import target
from leadline.cli.screen import Screen, as_json
from leadline.cli.verb import verb

NAME = Path("recipe.yaml")


@verb("Start", "seed")
@target.argument
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=NAME, metavar="FILE", help="Where to.  [default: recipe.yaml]"
)
def command(screen: Screen, words: tuple[str, ...], out: Path, seed: int | None) -> None:
    """Write a recipe for your data, each key with a sentence about it.

    Beside it stands recipe.schema.json, from which editors complete and check. A file that exists is never written over.
    """
    recipe = target.recipe_of(words, seed=seed)
    if out.exists():
        raise InputError("LL009", f"{out} exists already, and is not written over", where=str(out), help="choose another with --out FILE")
    from leadline.recipe import commented, schema

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(commented(recipe), encoding="utf-8")
    beside = out.with_name("recipe.schema.json")
    beside.write_text(as_json(schema()) + "\n", encoding="utf-8")
    screen.give({"recipe": str(out), "schema": str(beside)})
    screen.show(f"wrote {out} and {beside}")
    screen.next("leadline", "check", str(out))
