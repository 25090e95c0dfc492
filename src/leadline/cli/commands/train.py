"""`leadline train`: one whole run."""

from __future__ import annotations

from pathlib import Path

from leadline.cli import outcome, target
from leadline.cli.screen import Screen
from leadline.cli.verb import verb


@verb("Run", "out", "seed", "device")
@target.argument
def command(screen: Screen, words: tuple[str, ...], out: Path | None, seed: int | None, device: str) -> int | None:
    """Train: look, check, train, evaluate and report, in one go.

    TARGET is data (a folder of pictures, a table, the name of a set) or a recipe. Settings are key=value:
    leadline train photos/ model=resnet_small epochs=10. The run is a folder of plain files under ./runs, or where --out says.
    """
    recipe = target.recipe_of(words, seed=seed)
    target.check_out(out)
    from leadline.flow.train import train

    folder = train(recipe, out=out, device=device, command=target.command_line(), say=screen.say)
    return outcome.show(screen, folder, data=recipe.data.source)
