"""The names of timm's and torchvision's classifiers, read from their source files: a misspelt name is refused without importing torch."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

LIBRARIES = ("timm", "torchvision")

# Both libraries mark each constructor with this decorator; a test compares what is found here with the libraries' own lists.
_REGISTERED = re.compile(r"^@register_model\b[^\n]*(?:\n[@ )][^\n]*)*\ndef (\w+)\(", re.MULTILINE)


@cache
def library_names(library: str) -> frozenset[str]:
    """Every classifier of "timm" or "torchvision" by name; empty when the library is not installed. About 0.1 s."""
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    files = Path(spec.submodule_search_locations[0], "models").glob("*.py")
    return frozenset(name for file in files for name in _REGISTERED.findall(file.read_text(encoding="utf-8")))


def architecture(variant: str) -> str:
    """The architecture of a name with a tag of published weights: "resnet18.a1_in1k" is a resnet18."""
    return variant.split(".")[0]
