"""What a run was made with: versions and the commit of the code around it. Nothing is imported to find out."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

PACKAGES = """
    leadline torch torchvision timm numpy pandas pyarrow scikit-learn pillow safetensors tabm rtdl_num_embeddings datasets huggingface_hub
"""


def versions() -> dict[str, str]:
    """Version of Python and of every installed package that can change the result of a run."""
    found = {"python": platform.python_version()}
    for name in PACKAGES.split():
        installed = _version(name)
        if installed:
            found[name] = installed
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """The commit that the current folder stands on, or None when it is in no repository or git is not installed."""
    try:
        asked = subprocess.run(["git", "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
