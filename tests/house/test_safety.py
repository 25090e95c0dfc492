"""No code from data: no reader that runs what it reads, one place that imports by name, and every error code has its page."""

from __future__ import annotations

import ast
import re

from leadline.base.codes import CODES

from .source import files, name, tree, walk

READERS_THAT_RUN_CODE = {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"torch.load", "torch.save", "yaml.load", "torch.jit.load", "torch.hub.load", "pandas.read_pickle", "pd.read_pickle", "os.system"}
CODE = re.compile(r"LL\d{3}")


def test_no_reader_that_runs_code_is_imported() -> None:
    imported = [(name(path), module) for path, node in walk() for module in _modules(node) if module.split(".")[0] in READERS_THAT_RUN_CODE]
    assert imported == []


def test_nothing_is_evaluated_or_unpickled() -> None:
    assert [
        (name(path), node.lineno, _called(node))
        for path, node in walk()
        if isinstance(node, ast.Call) and (_called(node) in CALLS or (isinstance(node.func, ast.Name) and node.func.id in BUILTINS))
    ] == []


def test_arrays_are_loaded_without_pickle() -> None:
    allowed = [
        (name(path), node.lineno)
        for path, node in walk()
        if isinstance(node, ast.keyword)
        and node.arg == "allow_pickle"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]
    assert allowed == []


def test_one_place_imports_by_name() -> None:
    places = [name(path) for path, node in walk() if isinstance(node, ast.Call) and _called(node).endswith("import_module")]
    assert places == ["src/leadline/base/find.py"]


def test_every_code_that_is_raised_has_a_page() -> None:
    assert {code: place for code, place in _codes().items() if code not in CODES} == {}


def test_every_page_is_of_a_code_that_is_raised() -> None:
    assert set(CODES) - set(_codes()) == set()


def test_pages_are_sentences() -> None:
    assert [code for code, page in CODES.items() if not page.text.endswith((".", "!", "?")) or page.title.endswith(".")] == []


def _codes() -> dict[str, str]:
    """Each code that stands in the source as a word of its own, and one place where it does."""
    return {
        node.value: f"{name(path)}:{node.lineno}"
        for path in files()
        if path.name != "codes.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)
