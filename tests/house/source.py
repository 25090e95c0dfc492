"""The source as the house tests see it: files and their syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "leadline"


def files(*folders: str) -> list[Path]:
    """The Python files under the named folders of the repository; those of the package when none is named."""
    roots = [ROOT / folder for folder in folders] or [PACKAGE]
    return sorted(path for root in roots for path in root.rglob("*.py") if "strangers" not in path.parts)  # those stay as others wrote them


def name(path: Path) -> str:
    """The file's path within the repository."""
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def walk() -> Iterator[tuple[Path, ast.AST]]:
    """Every node of every file of the package."""
    for path in files():
        for node in ast.walk(tree(path)):
            yield path, node
