"""The preflight answer to "validation split clean"."""

from __future__ import annotations

from leadline.doctor.evidence import Evidence, Scene
from leadline.doctor.signals.splits import Splits


def measure(scene: Scene) -> Splits:
    """Raises NotExamined where no validation data is known."""
    return Evidence(scene)["splits"]
