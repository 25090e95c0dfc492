"""What needs no model starts without what models need: no torch, pandas or plots on the way to help, lists and refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["torch", "torchvision", "timm", "pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "PIL", "tensorboardX", "datasets"]
PROBE = """
import json, sys
from leadline.cli.main import main
code = main(sys.argv[2:])
print(json.dumps([code, sorted(set(json.loads(sys.argv[1])) & set(sys.modules))]), file=sys.stderr)
"""
CASES = {
    "help": (["--help"], 0),
    "help of a verb": (["train", "--help"], 0),
    "version": (["--version"], 0),
    "list of models": (["list", "models"], 0),
    "page of a model": (["list", "models", "mlp"], 0),
    "list of tasks": (["list", "tasks"], 0),
    "list of metrics": (["list", "metrics"], 0),
    "list of sources": (["list", "sources"], 0),
    "page of an error": (["rule", "LL017"], 0),
    "page of a rule": (["rule", "T01"], 0),
    "list of rules": (["list", "rules"], 0),
    "post-mortem of a log": (["doctor", "losses.csv"], 0),
    "schema": (["schema"], 0),
    "path that is not there": (["train", "nowhere"], 2),
    "unknown key": (["train", "data.csv", "epoch=3"], 2),
    "unknown setting of a model": (["train", "data.csv", "model=mlp", "model.depht=3"], 2),
    "unknown model": (["train", "data.csv", "model=mpl"], 2),
    "value out of range": (["train", "data.csv", "lr=-1"], 2),
    "unknown metric": (["train", "data.csv", "evaluate.metrics=[acuracy]"], 2),
    "folder that is no run": (["resume", "nowhere"], 2),
    "misspelt verb": (["tarin", "data.csv"], 2),
}


@pytest.mark.parametrize("words", CASES)
def test_what_needs_no_model_imports_nothing_heavy(words: str) -> None:
    Path("data.csv").write_text("a,b\n1,x\n2,y\n", encoding="utf-8")
    Path("losses.csv").write_text("loss\n" + "\n".join(str(0.9**i) for i in range(40)), encoding="utf-8")
    command, expected = CASES[words]
    done = subprocess.run([sys.executable, "-c", PROBE, json.dumps(HEAVY), *command], capture_output=True, text=True, check=False)
    code, imported = json.loads(done.stderr.splitlines()[-1])
    assert (code, imported) == (expected, []), done.stdout + done.stderr


def test_help_needs_no_settings() -> None:
    probe = "import sys; from leadline.cli.main import main; main(['--help']); print('pydantic' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr == "False\n"


def test_importing_leadline_imports_nothing_but_the_standard_library() -> None:
    probe = "import sys, json; import leadline; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert loaded & {*HEAVY, "numpy", "pydantic", "click", "rich", "ruamel"} == set()
