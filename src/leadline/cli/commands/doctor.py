"""`leadline doctor`: the post-mortem of a run or of any log."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli import summary
from leadline.cli.screen import Screen
from leadline.cli.verb import verb

BLOCKED = 3
SILENT_SHOWN = 6  # reasons in full; --format json has all


@verb("Afterwards")
@click.argument("log", metavar="RUN|LOG", type=click.Path(path_type=Path))
def command(screen: Screen, log: Path) -> int | None:
    """Say how a training went, from what it left behind.

    RUN is a run folder, or its name under ./runs; LOG is a TensorBoard folder, a Hugging Face trainer_state.json (or the folder that
    holds it), or a CSV of losses. A run's own findings stand beside what its curves show. What a log cannot tell is said. Exit code 3
    when training failed for a reason that is found.
    """
    from leadline.flow.post_mortem import post_mortem

    found = post_mortem(log)
    screen.give(found)
    series = ", ".join(f"{name} ({count:,})" for name, count in list(found["series"].items())[:6])
    screen.head(f"{found['kind']}: {found['log']}")
    screen.show(f"  read: {series}")
    for note in found["notes"]:
        screen.show(f"  note: {note}")
    screen.show(f"\nverdict: {found['verdict']['state']}: {found['verdict']['why']}")
    screen.section("findings", summary.finding_lines(found["findings"]) or ["  none"])
    silent = list(found["not_examined"].items())
    more = [f"  ... {len(silent) - SILENT_SHOWN} more (--format json shows all)"] if len(silent) > SILENT_SHOWN else []
    screen.section("not examined", [*(f"  {code}: {reason}" for code, reason in silent[:SILENT_SHOWN]), *more])
    screen.show()
    worst = next(iter(found["findings"]), None)
    screen.next("leadline", *(("rule", worst["code"]) if worst else ("rule",)))
    return BLOCKED if worst is not None and worst["severity"] == "error" else None
