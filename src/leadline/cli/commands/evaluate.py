"""`leadline evaluate`: scores of a run, on its own test part or on other data."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli import summary, target
from leadline.cli.screen import Screen
from leadline.cli.verb import run_argument, verb


@verb("Afterwards", "device")
@run_argument()
@click.argument("data", required=False)
def command(screen: Screen, run: Path, data: str | None, device: str) -> None:
    """Score a run, on its own held-out parts or on other DATA.

    DATA has the form of what the run was trained on, with the target. Columns are matched by name.
    """
    target.check_data(data)
    from leadline.flow.evaluate import evaluate

    scores = evaluate(run, data, device=device, say=screen.say)
    screen.give(scores)
    screen.section("scores", summary.score_lines(scores))
    screen.next("leadline", "report", str(run))
