"""`leadline demo`: a broken network named, cured and trained again on handwritten digits, offline."""

from __future__ import annotations

from pathlib import Path

from leadline.cli import outcome, target
from leadline.cli.screen import Screen
from leadline.cli.verb import verb


@verb("Start", "out")
def command(screen: Screen, out: Path | None) -> int | None:
    """Show a broken network, its doctor and its cure, offline, in a minute.

    A small network for handwritten digits is trained with a planted fault. The doctor names it, proves it on a copy and applies the
    control; the network is trained again, evaluated, asked and reported, with both curves in one picture.
    """
    target.check_out(out)
    from leadline.flow.demo import demo

    folder = demo(out, screen.say)
    return outcome.show(screen, folder, data=None)
