"""The post-mortem of a run or a log: what its curves show, and for a run of ours what the doctor found while it lived. No torch."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from leadline import recipe as recipes
from leadline.base.errors import InputError
from leadline.doctor.logs.post_mortem import examine, read
from leadline.flow.controls import in_recipe
from leadline.record.finding import ORDER, Finding
from leadline.record.run import HOME, Run


def post_mortem(log: Path) -> dict[str, Any]:
    """Plain JSON: log, kind, series, verdict, findings worst first (those of a run marked "from": "run"), not_examined.

    Raises InputError LL001, LL004 or LL011.
    """
    place = HOME / log if not log.exists() and (HOME / log / "run.json").is_file() else log
    found = examine(read(place))
    told = _plain(found.to_dict())
    if found.trace.kind != "run":
        return told
    stored = _stored(place)
    codes = {finding["code"] for finding in stored}
    seen = [_in_run(finding, place).to_dict() | {"from": "log"} for finding in found.findings if finding.code not in codes]
    both = [*({**finding, "from": "run"} for finding in stored), *_plain(seen)]
    told["findings"] = sorted(both, key=lambda finding: (ORDER[finding["severity"]], finding["confidence"] != "confirmed"))
    told["not_examined"] |= _unasked(place)
    return told


def _stored(folder: Path) -> list[dict[str, Any]]:
    return Run.open(folder).read("findings.json") if (folder / "findings.json").exists() else []


def _in_run(finding: Finding, folder: Path) -> Finding:
    """With the run's own recipe keys, where its recipe can be read."""
    try:
        return in_recipe(finding, recipes.read(folder / "recipe.yaml"))
    except InputError as error:
        return replace(finding, evidence={**finding.evidence, "recipe": f"not read: {error.message}"})


def _unasked(folder: Path) -> dict[str, str]:
    """What the doctor could not examine while the run lived."""
    path = folder / "doctor.json"
    return json.loads(path.read_text(encoding="utf-8"))["not_examined"] if path.exists() else {}


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
