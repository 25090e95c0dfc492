"""Steps whose first backward pass found the gradients of the step before still there, on recorded steps."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import Scene


@dataclass(frozen=True)
class LeftoverGradients:
    """steps: their numbers."""

    steps: tuple[int, ...]

    @property
    def in_words(self) -> str:
        """The first of them."""
        return f"step {self.steps[0]}" if len(self.steps) == 1 else f"steps {', '.join(map(str, self.steps[:3]))}"


def measure(scene: Scene) -> LeftoverGradients:
    """A step counts where no zero_grad came between its first backward pass and the update either."""
    by_index = {step.index: step for step in scene.heard.steps}
    kept = [index for index in scene.heard.stale_grads if index in by_index and "Z" not in by_index[index].events]
    return LeftoverGradients(tuple(kept))
