"""Every layer of a recorded step done again on the network as it is now."""

from __future__ import annotations

from leadline.doctor.anatomy import Anatomy, dissect
from leadline.doctor.evidence import Scene


def measure(scene: Scene) -> Anatomy:
    """Raises NotExamined or NotReplayable."""
    return dissect(scene.lab.now(), scene.last)
