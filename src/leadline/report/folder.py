"""A run folder, read: every file that is there, and plain words for every one that is missing or damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError

SIDES = ("test", "val", "train")
# Of a predictions file; the probabilities of the other classes are for people's own tools.
COLUMNS = frozenset({"index", "name", "target", "prediction", "confidence", "loss"})
FILES = ("run.json", "recipe.yaml", "facts.json", "metrics.jsonl", "scores.json", "checks.json", "findings.json")


@dataclass(frozen=True)
class RunFolder:
    """What a run wrote. A file that is missing or damaged is empty here and said in `absent`, by name.

    rows: the objects of metrics.jsonl. predictions: columns of predictions/<side>.parquet as lists, by side ("test", "val", "train").
    findings: None when findings.json is absent, so that "none found" and "not looked" stay apart.
    """

    folder: Path
    run: dict[str, Any] = field(default_factory=dict)
    recipe_text: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] | None = None
    predictions: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def place(self) -> str:
        """The folder as a command names it: from here when it stands below, else as it was given."""
        whole, here = self.folder.resolve(), Path.cwd()
        return str(whole.relative_to(here)) if whole != here and whole.is_relative_to(here) else str(self.folder)

    @property
    def data(self) -> dict[str, Any]:
        """What the source held: the "facts" of facts.json."""
        return mapping(self.facts.get("facts"))

    @property
    def headline(self) -> str | None:
        """The side whose scores the run stands for: the one it named itself, else the test, else validation, else None."""
        named = self.scores.get("headline")
        return next((side for side in (named, *SIDES) if side and mapping(self.scores.get(side))), None)

    @property
    def side(self) -> str | None:
        """The side whose predictions the report shows: that of the headline, else the first there is, else None."""
        return next((side for side in (self.headline, *SIDES) if side in self.predictions), None)

    @property
    def shown(self) -> dict[str, list[Any]]:
        """The columns of that side's predictions; empty without any."""
        return self.predictions[self.side] if self.side else {}

    @property
    def is_classification(self) -> bool:
        """Whether the predictions are labels with a confidence, not numbers."""
        return "confidence" in self.shown

    def why(self, *names: str) -> str:
        """Plain words for why something was not measured, from the files it would have come from."""
        known = [f"{name} {self.absent[name]}" for name in names if name in self.absent]
        return "; ".join(known) or f"{' and '.join(names)} {'hold' if len(names) > 1 else 'holds'} nothing about it"


def read_run(folder: Path | str) -> RunFolder:
    """Read a run folder. Raises InputError LL011 when none of a run's files is there; all else that is missing is only said."""
    folder = Path(folder)
    if not any((folder / name).is_file() for name in FILES):
        raise InputError(
            "LL011", f"{folder} is not a run folder: it holds no run.json", where=str(folder), help="name a folder under runs/"
        )
    absent: dict[str, str] = {}
    recipe_text = _text(folder, "recipe.yaml", absent=absent)
    findings = _json(folder, "findings.json", absent=absent)
    return RunFolder(
        folder=folder,
        run=mapping(_json(folder, "run.json", absent=absent)),
        recipe_text=recipe_text,
        recipe=_recipe(recipe_text, absent),
        facts=mapping(_json(folder, "facts.json", absent=absent)),
        rows=_lines(folder, absent),
        scores=mapping(_json(folder, "scores.json", absent=absent)),
        checks=mapping(_json(folder, "checks.json", absent=absent)),
        findings=[mapping(entry) for entry in findings] if isinstance(findings, list) else None,
        predictions=_predictions(folder, absent),
        absent=absent,
    )


def mapping(value: Any) -> dict[str, Any]:
    """The value when it is a mapping, else an empty one: files written by other hands may hold anything."""
    return value if isinstance(value, dict) else {}


def _text(folder: Path, name: str, *, absent: dict[str, str]) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        absent[name] = "is not in the run folder"
    except (OSError, UnicodeDecodeError) as error:
        absent[name] = f"cannot be read ({type(error).__name__})"
    return ""


def _json(folder: Path, name: str, *, absent: dict[str, str]) -> Any:
    text = _text(folder, name, absent=absent)
    if name in absent:
        return None
    try:
        return json.loads(text)
    except ValueError:
        absent[name] = "is damaged (not JSON)"
    return None


def _recipe(text: str, absent: dict[str, str]) -> dict[str, Any]:
    from ruamel.yaml import YAML, YAMLError

    try:
        return mapping(YAML(typ="safe", pure=True).load(text))
    except YAMLError:
        absent["recipe.yaml"] = "is damaged (not YAML)"
    return {}


def _lines(folder: Path, absent: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl; a line cut off by a kill is left out and said."""
    rows: list[dict[str, Any]] = []
    damaged = 0
    for line in _text(folder, "metrics.jsonl", absent=absent).splitlines():
        try:
            rows.append(mapping(json.loads(line)))
        except ValueError:
            damaged += 1
    if damaged:
        absent["metrics.jsonl"] = f"has {damaged} damaged line(s), left out here"
    return [row for row in rows if row]


def _predictions(folder: Path, absent: dict[str, str]) -> dict[str, dict[str, list[Any]]]:
    import pyarrow
    from pyarrow import parquet

    found: dict[str, dict[str, list[Any]]] = {}
    for side in SIDES:
        name = f"predictions/{side}.parquet"
        try:
            with parquet.ParquetFile(folder / "predictions" / f"{side}.parquet") as file:
                table = file.read([name for name in file.schema_arrow.names if name in COLUMNS])
        except FileNotFoundError:
            absent[name] = "is not in the run folder"
        except (OSError, pyarrow.ArrowException):
            absent[name] = "is damaged (not Parquet)"
        else:
            found |= {side: table.to_pydict()} if table.num_rows else {}
    return found
