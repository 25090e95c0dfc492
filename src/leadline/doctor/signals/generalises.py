"""Whether what is learnt holds for rows that were not trained on: validation losses, or the first pass over the data."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.learning import Learning


@dataclass(frozen=True)
class Generalises:
    """fresh: mean loss on rows not trained on; trivial: of the best constant answer; train: latest training loss. source: where fresh is
    from."""

    fresh: float
    trivial: float
    train: float
    source: str
    steps: int

    @property
    def is_at_chance(self) -> bool:
        """Fresh rows are answered no better than by a constant."""
        return not self.fresh < 0.97 * self.trivial


def measure(scene: Scene) -> Generalises:
    """Raises NotExamined where the trivial loss is not known, or nothing fresh was heard."""
    learning: Learning = Evidence(scene)["learning"]
    if learning.trivial is None or learning.trivial <= 0:
        raise NotExamined("what a constant answer reaches is not known for this loss")
    steps = len(learning.values)
    passes = [p for p in scene.heard.evals if p.values and p.training_mode is not True]
    if passes and passes[-1].after_step >= 20:
        values = [float(value) for value in passes[-1].values]
        return Generalises(sum(values) / len(values), learning.trivial, learning.last, "validation", steps)
    if learning.verdict == "stalled":
        return Generalises(learning.last, learning.trivial, learning.last, "nor those that were", steps)
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    first_pass = steps if sample is None or sample.begun <= 1 else _batches(sample.loader)
    if first_pass < 12 or sample is None:
        raise NotExamined("too few steps on fresh rows were heard")
    fresh = learning.values[first_pass * 2 // 3 : first_pass]
    return Generalises(sum(fresh) / len(fresh), learning.trivial, learning.last, "the first pass over the data", steps)


def _batches(loader: object) -> int:
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return 0
