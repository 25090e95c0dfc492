"""Which wing may import which: the layers contract of pyproject.toml."""

from __future__ import annotations

import subprocess
import sys

from .source import ROOT


def test_a_wing_imports_only_from_lower_floors() -> None:
    words = ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
