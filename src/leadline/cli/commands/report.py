"""`leadline report`: a run's one-file report."""

from __future__ import annotations

from pathlib import Path

from leadline.cli.screen import Screen
from leadline.cli.verb import run_argument, verb


@verb("Afterwards")
@run_argument()
def command(screen: Screen, run: Path) -> None:
    """Write the report again: one HTML file that opens from disk, without a network."""
    from leadline.report.report import write_report

    path = write_report(run)
    screen.give({"report": str(path), "bytes": path.stat().st_size})
    screen.show(f"wrote {path} ({path.stat().st_size / 1024:,.0f} KB)")
    screen.next("leadline", "card", str(run))
