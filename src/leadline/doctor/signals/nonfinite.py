"""The first loss or gradient that is not finite: which step, which operation, which layer, which rows of the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import Moment
from leadline.doctor.origin import Graph, Origin
from leadline.doctor.tape import Given, NotReplayable, Script, finished, flatten, play, pytree
from leadline.doctor.twin import Twin, bare

KEEP = True  # the graph is there only at the moment itself
TRIED = 3  # recorded steps that are done again where the step itself was not recorded
BEFORE = 10  # losses before it, which tell whether training was running away already


@dataclass(frozen=True)
class NonFinite:
    """what: "loss" or "gradient". origin: where it came from (None: not located). first_weights: parameters that were already bad. rising:
    the loss grew tenfold in the steps before. loss_before: median of the losses before.
    """

    step: int
    what: str
    origin: Origin | None
    first_weights: tuple[str, ...]
    rising: bool
    batch_rows: int | None


def measure(scene: Scene) -> NonFinite:
    """Raises NotExamined where everything is finite, or a scaler deals with it."""
    at = scene.kept.get("nonfinite_at")
    if at is None or "tensor" not in at:
        at = _from_losses(scene)
    if scene.heard.scaler is not None and _is_scalers(scene, at):
        raise NotExamined("the scaled loss overflowed: the scaler lowers its scale and skips the step")
    origin = _origin(scene, at)
    weights = tuple(name for name, p in scene.heard.named if not bool(p.detach().isfinite().all()))
    return NonFinite(at["step"], at["what"], origin, weights, _is_rising(scene, at["step"]), _rows(scene.heard.batch))


def _from_losses(scene: Scene) -> dict[str, Any]:
    """Of a loss on a device, which nobody waited for, its step is known afterwards."""
    scene.heard.fetch()
    for step in scene.heard.steps:
        if any(not math.isfinite(float(value)) for value in step.losses):
            return {"step": step.index, "what": "loss", "tensor": None}
    raise NotExamined("every loss was finite")


def _is_scalers(scene: Scene, at: dict[str, Any]) -> bool:
    heard = scene.heard
    if at["what"] == "gradient":
        return True  # a fused optimizer is called all the same, and skips the step itself
    criteria = heard.now.criteria
    return not criteria or bool(torch.isfinite(criteria[-1]).all())


def _origin(scene: Scene, at: dict[str, Any]) -> Origin | None:
    tensor = at.get("tensor")
    if at["what"] == "loss" and tensor is not None and tensor.grad_fn is not None:
        names = {id(p): name for name, p in bare(scene.model).named_parameters()}
        return Graph(tensor, names, size=_rows(scene.heard.batch), outputs=_outputs(scene)).forward()
    for moment, twin in _again(scene, at["step"]):
        try:
            found = _replayed(moment, twin, _rows(moment.batch))
        except (NotReplayable, RuntimeError):
            continue
        if found is not None:
            return found
    return None


def _replayed(moment: Moment, twin: Twin, size: int | None) -> Origin | None:
    """A recorded step done again on a copy, each backward pass watched operation by operation."""
    names = {id(p): name for name, p in twin.model.named_parameters()}
    outputs: list[Any] = []
    found: list[Origin | None] = []

    def note(_number: int, entry: Any, result: Any) -> None:
        if entry.kind == "call":
            outputs.extend(leaf.grad_fn for leaf in flatten(result)[0] if isinstance(leaf, Tensor) and leaf.grad_fn is not None)

    def look(loss: Tensor) -> None:
        graph = Graph(loss, names, size=size, outputs=outputs)
        found.append(graph.backward(loss) if bool(loss.detach().isfinite().all()) else graph.forward())

    with torch.enable_grad():
        play(moment.script, twin.places, twin.module_at, backward=look, watch=note)
    return next((each for each in found if each is not None), None)


def _again(scene: Scene, step: int) -> list[tuple[Moment, Twin]]:
    """Steps to do again: the running one where it was recorded, the latest ones on this step's batch, and the first on the start."""
    heard, tries = scene.heard, []
    try:
        if heard.look is not None:
            script = finished(heard.look.tape, copy=True)
            tries.append((Moment(step, script, (), (), (), heard.batch, None, None, (), ()), scene.lab.now()))
        for moment in reversed(scene.moments[-TRIED:]):
            tries.append((_aimed(moment, heard.batch), scene.lab.now()))
        if scene.moments and step == 0:
            tries.append((scene.moments[0], scene.lab.at_start()))
    except NotReplayable:
        pass
    return tries


def _aimed(moment: Moment, batch: Any) -> Moment:
    """The same step with another batch in the place of its own."""
    old, new = ([leaf for leaf in flatten(b)[0] if isinstance(leaf, Tensor)] for b in (moment.batch, batch))
    if len(old) != len(new):
        return moment
    known: dict[int, Given] = {}

    def other(leaf: Any) -> Any:
        if not isinstance(leaf, Given) or leaf.role != "data":
            return leaf
        for mine, theirs in zip(old, new, strict=True):
            if mine.shape == leaf.tensor.shape and mine.dtype == leaf.tensor.dtype and torch.equal(mine, leaf.tensor):
                return known.setdefault(id(leaf), Given(theirs))
        return leaf

    entries = []
    for entry in moment.script.entries:
        args, kwargs = pytree.tree_map(other, (entry.args, entry.kwargs), is_leaf=lambda x: isinstance(x, Given))
        entries.append(replace(entry, args=args, kwargs=kwargs))
    return replace(moment, script=Script(tuple(entries), moment.script.problem), batch=batch)


def _outputs(scene: Scene) -> list[Any]:
    """Nodes that made the network's answers in the running step, where it is recorded."""
    look = scene.heard.look
    if look is None:
        return []
    calls = {number for number, entry in enumerate(look.tape.entries) if entry.kind == "call"}
    made = look.tape.made
    return [t.grad_fn for t in look.tape.alive if id(t) in made and made[id(t)].entry in calls and t.grad_fn is not None]


def _is_rising(scene: Scene, step: int) -> bool:
    losses = [float(s.losses[-1]) for s in scene.heard.steps[:step] if s.losses]
    finite = [abs(value) for value in losses if math.isfinite(value)]
    if len(finite) < 2:
        return False
    return max(finite[-3:]) > 10 * max(min(finite[-BEFORE:]), 1e-12) and max(finite[-3:]) > 10 * finite[0]


def _rows(batch: Any) -> int | None:
    first = next((leaf for leaf in flatten(batch)[0] if isinstance(leaf, Tensor) and leaf.ndim), None) if batch is not None else None
    return None if first is None else first.shape[0]
