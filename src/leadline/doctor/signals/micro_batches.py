"""How batches, backward passes, zeroing and updates alternate: accumulation as it is meant, and as it goes wrong."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass

from leadline.doctor.evidence import Scene
from leadline.doctor.moment import Step

LOOKED = 64  # latest steps that are read


@dataclass(frozen=True)
class MicroBatches:
    """parts: backward passes an update (median). batches: batches of the loader an update, where known. divided: whether the loss
    was divided by the parts (None: cannot be told). wiped: steps in which gradients of a backward pass were zeroed before the update used
    them. period:
    zero_grad comes only every so many updates (0: with each, or never). stale: recorded updates with gradients left of the one before.
    """

    parts: int
    batches: float | None
    divided: bool | None
    wiped: tuple[int, ...]
    period: int
    looked: int
    stale: int
    optimizers: int


def measure(scene: Scene) -> MicroBatches:
    """Never raises: what cannot be told is None."""
    steps = scene.heard.steps[-LOOKED:]
    counts = [step.events.count("B") for step in steps]
    parts = int(statistics.median(counts)) if counts else 1
    wiped = tuple(step.index for step in steps if is_wiped(step.events))
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    batches = sample.batches_given / max(len(scene.heard.steps), 1) if sample is not None else None
    return MicroBatches(
        parts, batches, _divided(scene, parts), wiped, _period(scene.heard.steps), len(steps),
        len(scene.heard.stale_grads), len(scene.heard.optimizers),
    )  # fmt: skip


def is_wiped(events: list[str]) -> bool:
    """Whether a backward pass was followed by zero_grad and by another backward pass before the update."""
    order = "".join(event for event in events if event in "BZS")
    return "BZB" in order.replace("ZZ", "Z").replace("ZZ", "Z").replace("BB", "B").replace("BB", "B").split("S")[0]


def _divided(scene: Scene, parts: int) -> bool | None:
    """From the first steps, whose loss calls were all heard: what backward began at beside what the loss function gave."""
    if parts < 2:
        return None
    scene.heard.fetch()
    shares: list[float] = []
    for step in scene.heard.steps[:8]:
        criteria = [float(value) for value in step.criteria]
        if len(criteria) == len(step.losses) and all(criteria):
            shares += [float(loss) / value for loss, value in zip(step.losses, criteria, strict=True)]
    if not shares:
        return None
    share = statistics.median(shares) / (scene.moments[0].scaled or 1.0 if scene.moments else 1.0)
    return share < 1.5 / parts


def _period(steps: list[Step]) -> int:
    """Every how many updates gradients are zeroed, where that is regular and not each time."""
    zeroed = [step.index for step in steps if "Z" in step.events]
    gaps = [after - before for before, after in itertools.pairwise(zeroed)]
    if len(gaps) < 2 or len(set(gaps)) > 1:
        return 0
    return gaps[0] if gaps[0] > 1 else 0
