"""`leadline demo`: the whole way on handwritten digits, offline."""

from __future__ import annotations

from pathlib import Path

from leadline.cli import outcome, target
from leadline.cli.screen import Screen
from leadline.cli.verb import verb


@verb("Start", "out")
def command(screen: Screen, out: Path | None) -> int | None:
    """Show the whole way on handwritten digits, offline, in under a minute."""
    target.check_out(out)
    from leadline.flow.demo import demo

    folder = demo(out, screen.say)
    return outcome.show(screen, folder, data=None)
