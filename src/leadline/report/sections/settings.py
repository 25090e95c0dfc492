"""How to do it again: the network's layers, the resolved recipe, the machine and the command."""

from __future__ import annotations

import shlex
from typing import Any

from leadline.report.folder import RunFolder, mapping
from leadline.report.words import flatten, number, plain

MOST_LAYERS = 200


def layers(run: RunFolder) -> dict[str, Any]:
    """The layer table as the run measured it: its columns by name, and the totals beside it."""
    found = mapping(run.facts.get("layers"))
    table = next((value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)), [])
    columns = list(dict.fromkeys(key for row in table for key in row))
    return {
        "why": "" if found else "the layer table was not measured",
        "columns": [column.replace("_", " ") for column in columns],
        "numeric": [all(isinstance(row.get(column), int | float | None) for row in table) for column in columns],
        "rows": [[_cell(row.get(column)) for column in columns] for row in table[:MOST_LAYERS]],
        "left_out": max(0, len(table) - MOST_LAYERS),
        "totals": [(key.replace("_", " "), plain(_grouped(value))) for key, value in found.items() if not isinstance(value, list | dict)],
    }


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " × ".join(str(part) for part in value)
    return "" if value is None else str(_grouped(value))


def _grouped(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def recipe(run: RunFolder) -> dict[str, Any]:
    """The resolved recipe by block, key and value."""
    blocks: list[dict[str, Any]] = []
    loose = {key: value for key, value in run.recipe.items() if not isinstance(value, dict)}
    for name, block in [("run", loose), *((key, value) for key, value in run.recipe.items() if isinstance(value, dict))]:
        rows = [(key, plain(value)) for key, value in flatten(block).items()]
        blocks += [{"name": name, "rows": rows}] if rows else []
    return {"blocks": blocks, "text": run.recipe_text, "why": run.why("recipe.yaml")}


def environment(run: RunFolder) -> dict[str, Any]:
    """Versions, device and energy, what was measured before the run, and the command that repeats it."""
    record = run.run
    energy = record.get("energy_wh")
    rows = [
        ("command", plain(_command(record.get("command")))),
        ("device", plain(record.get("device"))),
        ("seed", plain(record.get("seed"))),
        ("energy", f"{number(energy)} Wh" if energy is not None else "not measured"),
        ("code (git)", plain(record.get("git")) if record.get("git") else "not under git"),
    ]
    return {
        "rows": rows if record else [],
        "versions": [(str(key), plain(value)) for key, value in mapping(record.get("versions")).items()],
        "measured": [(key.replace("_", " "), plain(value)) for key, value in flatten(mapping(run.facts.get("measured"))).items()],
        "again": f"leadline train {shlex.quote(f'{run.place}/recipe.yaml')}" if run.recipe_text else None,
        "why": run.why("run.json"),
    }


def _command(command: Any) -> Any:
    return shlex.join(str(part) for part in command) if isinstance(command, list) else command
