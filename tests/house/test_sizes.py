"""The caps of size: a file that wants more is two ideas."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .source import files, name, tree

FILE, FUNCTION, METHODS, NESTING = 400, 60, 12, 3
# What hears a loop has a method for each thing that can be heard; these numbers may only fall.
LISTENERS = {
    "src/leadline/doctor/ears.py: Listener": 15,
    "src/leadline/doctor/heard.py: Heard": 35,
    "src/leadline/doctor/lives.py: Lives": 13,
    "src/leadline/doctor/watch.py: Watch": 17,
}
BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files("src", "tests", "benchmarks")}
    assert {path: length for path, length in lengths.items() if length > FILE} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{name(path)}: {node.name}": _lines(node)
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, FUNCTIONS) and _lines(node) > FUNCTION
    }
    assert long == {}


def test_no_class_has_more_than_12_methods() -> None:
    large = {
        f"{name(path)}: {node.name}": count
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        and (count := sum(isinstance(part, FUNCTIONS) for part in node.body)) > LISTENERS.get(f"{name(path)}: {node.name}", METHODS)
    }
    assert large == {}


def test_no_function_nests_more_than_three_blocks() -> None:
    deep = {
        f"{name(path)}: {node.name}": depth
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, FUNCTIONS) and (depth := _depth(node)) > NESTING
    }
    assert deep == {}


def test_every_file_opens_with_the_one_idea_it_holds() -> None:
    silent = [name(path) for path in files("src", "tests", "benchmarks") if path.stat().st_size and not ast.get_docstring(tree(path))]
    assert silent == []


def test_every_file_postpones_annotations() -> None:
    line = "from __future__ import annotations"
    assert [name(path) for path in files() if path.stat().st_size and line not in path.read_text(encoding="utf-8")] == []


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _depth(node: ast.AST) -> int:
    """Blocks within blocks below `node`; an elif is as deep as its if, and inner functions count for themselves."""
    return max((_own_depth(child) for child in ast.iter_child_nodes(node) if not isinstance(child, FUNCTIONS)), default=0)


def _own_depth(node: ast.AST) -> int:
    if isinstance(node, ast.If):
        return max(1 + max((_own_depth(child) for child in node.body), default=0), max(_else_depths(node), default=0))
    return _depth(node) + isinstance(node, BLOCKS)


def _else_depths(node: ast.If) -> Iterator[int]:
    is_elif = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
    return (_own_depth(child) + (not is_elif) for child in node.orelse)
