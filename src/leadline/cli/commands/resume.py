"""`leadline resume`: go on where a run stopped."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli import outcome
from leadline.cli.screen import Screen
from leadline.cli.verb import run_argument, verb


@verb("Run")
@run_argument()
@click.option("--allow-change", is_flag=True, help="Go on although recipe, data or versions differ; the difference is recorded.")
def command(screen: Screen, run: Path, allow_change: bool) -> int | None:
    """Go on with a stopped or killed run, at the very next step.

    RUN is the run's folder, or its name under ./runs. On a CPU the end is equal to that of a run that was never stopped, bit for bit.
    """
    from leadline.flow.train import resume

    folder = resume(run, allow_change=allow_change, say=screen.say)
    return outcome.show(screen, folder, data=None)
