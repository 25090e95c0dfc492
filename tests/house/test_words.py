"""One word for one thing: no names that say nothing."""

from __future__ import annotations

import ast
import re

from .source import files, name, tree, walk

EMPTY = re.compile(r"(Manager|Handler|Helper|Util|Utils|Wrapper)$")
DRAWERS = {"util", "utils", "common", "misc", "helper", "helpers", "tools", "stuff"}


def test_no_class_is_a_manager_handler_or_helper() -> None:
    assert [(name(path), node.name) for path, node in walk() if isinstance(node, ast.ClassDef) and EMPTY.search(node.name)] == []


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [name(path) for path in files("src", "tests", "benchmarks") if {path.stem, path.parent.name} & DRAWERS] == []


def test_every_public_class_and_function_says_what_it_gives() -> None:
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in files()
        for node in tree(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []
