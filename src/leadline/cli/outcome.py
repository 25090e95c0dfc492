"""How a run ended: its scores, findings and report, read from the run folder and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadline.cli import summary
from leadline.cli.screen import Screen


def show(screen: Screen, folder: Path, *, data: Any) -> None:
    """Print what the run came to and where it stands; `data` is what it was trained on, when that can be named on a command line."""
    from leadline.record.run import Run

    run = Run.open(folder)
    record, scores = run.read("run.json"), run.read("scores.json")
    findings = run.read("findings.json") if (folder / "findings.json").exists() else []
    told = {key: record[key] for key in ("status", "task", "seconds")}
    screen.give({"run": str(folder), **told, "scores": scores, "findings": findings})
    screen.section("scores", summary.score_lines(scores))
    screen.section("findings", summary.finding_lines(findings))
    screen.show()
    if (folder / "model" / "config.json").exists() and '"nexttokens"' in (folder / "model" / "config.json").read_text(encoding="utf-8"):
        return screen.next("leadline", "generate", str(folder))
    if isinstance(data, str) and Path(data).exists():
        return screen.next("leadline", "predict", str(folder), data)
    return screen.next("leadline", "card", str(folder))
