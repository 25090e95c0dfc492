"""The report: one HTML file from a run folder, which opens from disk without network, on a phone and in the dark."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from leadline.record.files import write_atomic
from leadline.report.folder import RunFolder, read_run
from leadline.report.sections import answer, checks, classes, curves, data, examples, healing, settings, values

HERE = Path(__file__).parent
# The promise is 2 MB; the rest of the page is under 400 KB, and pictures get what is left, with some room.
PICTURE_BUDGET = 1_100_000
PLOT_BUDGET = 300_000
MOST_BYTES = 2_000_000


def write_report(folder: Path | str) -> Path:
    """Write <folder>/report.html from the files of the run and return its path.

    What is missing in the folder is said as not measured. Raises InputError LL011 when the folder holds no run at all.
    """
    run = read_run(folder)
    page = render(run, PICTURE_BUDGET)
    if len(page) > MOST_BYTES:
        page = render(run, max(0, PICTURE_BUDGET - (len(page) - MOST_BYTES)))
    path = run.folder / "report.html"
    write_atomic(path, page)
    return path


def render(run: RunFolder, picture_budget: int = PICTURE_BUDGET) -> bytes:
    """The page as UTF-8 bytes; every name in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("template.html").render(**contents(run, picture_budget)).encode("utf-8")


def contents(run: RunFolder, picture_budget: int = PICTURE_BUDGET) -> dict[str, Any]:
    """Everything the template shows, as plain values."""
    return {
        "run_name": run.name,
        "answer": answer.view(run),
        "checks": checks.view(run),
        "findings": checks.findings(run),
        "healing": healing.view(run),
        "evidence": _plots(run.folder, ("findings", "heal")),
        "curves": curves.view(run),
        "classes": classes.view(run),
        "values": values.view(run),
        "examples": examples.view(run, picture_budget),
        "data": data.view(run),
        "groups": data.groups(run),
        "guesses": data.guesses(run),
        "layers": settings.layers(run),
        "recipe": settings.recipe(run),
        "environment": settings.environment(run),
        "plots": _plots(run.folder, ("loss", "schedule", "gradients")),
        "assets": {
            name: (HERE / "assets" / name).read_text(encoding="utf-8")
            for name in ("style.css", "charts.js", "uPlot.iife.min.js", "uPlot.min.css")
        },
    }


def _plots(folder: Path, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """(name, data address) of drawn plots; none that would make the page too large."""
    found, left = [], PLOT_BUDGET
    for name in names:
        try:
            address = f"data:image/png;base64,{base64.b64encode((folder / 'plots' / f'{name}.png').read_bytes()).decode()}"
        except OSError:
            continue
        if len(address) <= left:
            left -= len(address)
            found.append((name, address))
    return found
