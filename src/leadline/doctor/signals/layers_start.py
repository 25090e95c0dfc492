"""Every layer of a recorded step done again on the network as it was before training."""

from __future__ import annotations

from leadline.doctor.anatomy import Anatomy, dissect
from leadline.doctor.evidence import Scene

KEEP = True  # the start does not change


def measure(scene: Scene) -> Anatomy:
    """Raises NotExamined or NotReplayable."""
    return dissect(scene.lab.at_start(), scene.first)
