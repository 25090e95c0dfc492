"""`leadline train`: one whole run."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli import outcome, target
from leadline.cli.screen import Screen
from leadline.cli.verb import verb


@verb("Run", "out", "seed", "device")
@target.argument
@click.option("--heal", is_flag=True, help="Let the doctor apply its own controls, three times at most.")
def command(screen: Screen, words: tuple[str, ...], out: Path | None, seed: int | None, device: str, heal: bool) -> int | None:
    """Train: look, check, train, evaluate and report, in one go.

    TARGET is data (a folder of pictures, a table, the name of a set) or a recipe. Settings are key=value:
    leadline train photos/ model=resnet_small epochs=10. The run is a folder of plain files under ./runs, or where --out says.

    The doctor watches: what it finds stands in findings.json and in the report. With --heal it changes the recipe as its findings say
    and begins again, from the last good state or from the start; heal.json holds what was changed, and the loss before and after.
    """
    recipe = target.recipe_of(words, seed=seed)
    target.check_out(out)
    from leadline.flow.train import train

    folder = train(recipe, out=out, device=device, command=target.command_line(), say=screen.say, heal=heal)
    return outcome.show(screen, folder, data=recipe.data.source)
