"""How tests call the command line: in this process, with what it printed and its exit code."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from leadline.cli.main import main


@dataclass(frozen=True)
class Called:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def call(*words: str) -> Called:
    """Run `leadline WORDS` in the current folder."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return Called(code, out.getvalue(), err.getvalue())


def everything() -> set[str]:
    """All files and folders below the current one."""
    return {str(path) for path in Path().rglob("*")}
