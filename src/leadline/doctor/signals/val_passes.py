"""The validation passes heard: in which mode, on what, and whether the same inputs were asked several times on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import EvalPass
from leadline.doctor.tape import Given, marks_of

REPEATS = 3  # of the same inputs in one pass: an average over dropout masks, on purpose


@dataclass(frozen=True)
class ValPasses:
    """heard: passes whose mode is known. training: those of them in training mode. minding: modules that compute otherwise in eval mode."""

    heard: int
    training: int
    minding: tuple[str, ...]
    repeated: bool
    step: int


def measure(scene: Scene) -> ValPasses:
    """Raises NotExamined where no validation pass was heard."""
    known = [each for each in scene.heard.evals if each.training_mode is not None and _is_validation(scene, each)]
    if not known:
        raise NotExamined("no validation pass was heard")
    training = [each for each in known if each.training_mode]
    minding = tuple(f"{type(module).__name__} {path}".strip() for path, module in scene.heard.sleepers)
    return ValPasses(len(known), len(training), minding, any(_is_repeated(each) for each in known), (training or known)[0].after_step)


def _is_validation(scene: Scene, each: EvalPass) -> bool:
    """Not the training data once more, and more than one quiet call of the network in the middle of a step."""
    if scene.heard.train_loader in each.loaders:
        return False
    calls = [entry for entry in each.script.entries if entry.kind == "call" and not entry.grad] if each.script is not None else []
    return bool(each.values) or len(calls) > 1


def _is_repeated(each: EvalPass) -> bool:
    counts: dict[int, int] = {}
    for entry in each.script.entries if each.script is not None else ():
        for given in marks_of(entry, Given) if entry.kind == "call" else ():
            counts[id(given.tensor)] = counts.get(id(given.tensor), 0) + 1
    return max(counts.values(), default=0) >= REPEATS
