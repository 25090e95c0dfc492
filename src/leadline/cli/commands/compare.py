"""`leadline compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli.screen import Screen
from leadline.cli.verb import run_argument, verb


@verb("Afterwards")
@run_argument("runs", many=True)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw the validation curves into a PNG, too.")
def command(screen: Screen, runs: list[Path], plot: Path | None) -> None:
    """Lay runs side by side: what differs, and whether it matters.

    Only the settings that differ are shown, scores at the best step, runs that differ in their seed as a range; each difference is
    judged real or within noise, and the examples whose answer changed are named. The first run is what the others are held against.
    """
    from leadline.report.compare import compare
    from leadline.report.side_by_side import plot_curves, to_text

    found = compare(runs)
    screen.give(found.to_dict())
    screen.show(to_text(found))
    if plot is not None:
        screen.show(f"\ncurves: {plot_curves(runs, plot)}")
    screen.show()
    screen.next("leadline", "report", str(runs[-1]))
