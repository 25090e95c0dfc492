"""`leadline card`: a run's model card."""

from __future__ import annotations

from pathlib import Path

from leadline.cli.screen import Screen
from leadline.cli.verb import run_argument, verb


@verb("Afterwards")
@run_argument()
def command(screen: Screen, run: Path) -> None:
    """Write the model card again, filled from what was measured."""
    from leadline.report.model_card import write_card

    path = write_card(run)
    screen.give({"card": str(path)})
    screen.show(path.read_text(encoding="utf-8").rstrip())
    screen.next("leadline", "report", str(run))
