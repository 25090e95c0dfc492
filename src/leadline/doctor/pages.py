"""The pages of the doctor's rules, read from their source: showing one needs no torch."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import NamedTuple

from leadline.base.find import names

SHELF = "doctor.rules"


class RulePage(NamedTuple):
    """One rule's page: the fault's code and cause, its name for people, and what the rule's docstring says."""

    code: str
    cause: str
    title: str
    text: str


def pages() -> dict[str, RulePage]:
    """Every rule's page by code, in the order of the codes."""
    folder = Path(__file__).parent / "rules"
    found = [page for name in names(SHELF) for page in _pages_of(folder / f"{name}.py")]
    return {page.code: page for page in sorted(found)}


def _pages_of(path: Path) -> list[RulePage]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[RulePage] = []
    for node in tree.body:
        fields = _fields(node) if isinstance(node, ast.ClassDef) else {}
        if isinstance(node, ast.ClassDef) and {"code", "cause", "title"} <= set(fields):
            text = inspect.cleandoc(ast.get_docstring(node) or "")
            title = fields["title"].rstrip(".")
            found.append(RulePage(fields["code"], fields["cause"], title[:1].upper() + title[1:], text))
    return found


def _fields(node: ast.ClassDef) -> dict[str, str]:
    """The class's text fields, assigned one by one or several in a row."""
    lines = [line for line in node.body if isinstance(line, ast.Assign) and len(line.targets) == 1]
    pairs = [pair for line in lines for pair in _pairs(line.targets[0], line.value)]
    return {
        name.id: value.value
        for name, value in pairs
        if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]
