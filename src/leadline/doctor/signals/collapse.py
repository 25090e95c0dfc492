"""Whether a network that rebuilds its input says the same for every input, because a term of its loss forbids the code to say anything.

The last sum of the loss is taken apart: terms that use the data of the step, and terms of the network's own outputs (a divergence).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.lab import Curve, Trial
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Entry, Given, Made, Script, flatten, marks_of
from leadline.doctor.twin import Twin

STEPS = 100
SECONDS = 2.0  # of one replay
BETTER = 0.02  # of the error
LIGHTER = (1e-2, 0.0)
TRIES = 2  # of the replay per training: it takes a second
SAME = 0.05  # of the targets' variance: answers that vary less between inputs are one answer
COMPARES = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "sub",
    "__sub__",
    "__rsub__",
    "rsub",
    "subtract",
)
ADD = ("add", "add_", "__add__", "__radd__", "__iadd__", "sub", "__sub__", "__rsub__", "__isub__", "sub_")


@dataclass(frozen=True)
class Terms:
    """A loss as a sum: the entry that adds, and for each of its two sides whether data of the step takes part in it."""

    add: int
    uses_data: tuple[bool, bool]


@dataclass(frozen=True)
class Collapse:
    """variety: how far answers depend on the input, as a share of its variance; freed: that of the best replay. penalty, error: the
    terms now.

    trial: the error term with the penalty `factor` times as heavy, from the start, beside the penalty as it is.
    """

    variety: float
    error: float
    penalty: float
    factor: float
    trial: Trial
    error_now: float
    freed: float

    @property
    def helps(self) -> bool:
        """Whether the error falls below what the run reached and what the same steps reach as it is, each by BETTER (the mean is
        learnt anyway)."""
        better = self.trial.with_control.after < (1 - BETTER) * min(self.error_now, self.trial.as_is.after)
        return better and self.freed > max(2 * SAME, 10 * self.variety)


def measure(scene: Scene) -> Collapse:
    """Raises NotExamined where the loss is not an error of a rebuilt input plus a term of the network's own; NotReplayable."""
    moments = [moment for moment in scene.moments if moment.script.problem is None]
    if not moments:
        raise NotExamined("no recorded step can be done again")
    terms = [terms_of(moment.script) for moment in moments]
    if not _rebuilds(moments[-1]):
        raise NotExamined("the loss does not compare the answers with the network's own input")
    variety = _variety(scene.lab.now(), moments[-1])
    if variety > SAME:
        raise NotExamined("the answers differ from input to input")
    tried = scene.kept.get("collapse_tries", 0)
    if tried >= TRIES:
        raise NotExamined("a lighter divergence was tried before, and did not help")
    scene.kept["collapse_tries"] = tried + 1
    error, penalty = term_values(scene.lab.now(), moments[-1], terms[-1])
    held, train = (moments[1::2] or moments, moments[::2])
    twins = {factor: scene.lab.at_start() for factor in (1.0, *LIGHTER)}
    ends = {factor: _curve(twin, train, held, factor) for factor, twin in twins.items()}
    best = min(LIGHTER, key=lambda factor: ends[factor].after if math.isfinite(ends[factor].after) else math.inf)
    words = f"the divergence weighing {best:g} times as much" if best else "no divergence"
    trial = Trial(f"{words} (error term alone)", ends[1.0], ends[best])
    return Collapse(variety, error, penalty, best, trial, _error(scene.lab.now(), held), _variety(twins[best], moments[-1]))


def _rebuilds(moment: Moment) -> bool:
    """Whether the step holds an answer against the very numbers that the network was given: an answer of the same size alone proves
    nothing, nor does an input that only takes part in a formula (as in the equations of physics)."""
    compared = [entry for entry in moment.script.entries if entry.kind == "op" and entry.name in COMPARES]
    used = [g.tensor for entry in compared for g in marks_of(entry, Given) if g.role == "data"]
    pairs = [(data, given) for data in used for given in moment.inputs if given.is_floating_point() and data.numel() == given.numel()]
    return any(bool((data.flatten() == given.flatten()).all()) for data, given in pairs)


def _variety(twin: Twin, moment: Moment) -> float:
    """How far the answers move when every row gets another row's input (and the same noise), as a share of the inputs' own variance."""
    given = next((x for x in moment.inputs if x.is_floating_point() and x.ndim > 1 and x.shape[0] > 3), None)
    if given is None:
        raise NotExamined("the network does not rebuild its input")
    plain, turned = (_answer(twin, moment, given, turn=turn) for turn in (False, True))
    spread = given.flatten(1).double().var(0).sum().clamp_min(1e-12)
    return float((plain - turned).flatten(1).double().pow(2).sum(1).mean() / 2 / spread)


def _answer(twin: Twin, moment: Moment, given: Tensor, *, turn: bool) -> Tensor:
    """The latest output of the network's calls that has as many numbers as the input."""
    found: list[Tensor] = []

    def change(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if entry.kind != "call" or not turn:
            return args, kwargs
        marks = tuple(entry.args)
        return tuple(a.flip(0) if isinstance(m, Given) and m.tensor.ndim > 1 else a for a, m in zip(args, marks, strict=True)), kwargs

    def watch(_number: int, entry: Entry, result: Any) -> None:
        outputs = [leaf for leaf in flatten(result)[0] if isinstance(leaf, Tensor)] if entry.kind == "call" else []
        found.extend(x.detach() for x in outputs if x.is_floating_point() and x.numel() == given.numel() and x.shape[0] == given.shape[0])

    twin.gradients(moment, change=change, watch=watch)
    if not found:
        raise NotExamined("the network does not rebuild its input")
    back = found[-1]
    as_share = bool((given.min() >= 0) & (given.max() <= 1) & (back.min() < -1))  # logits of pixels
    return back.sigmoid() if as_share else back


def terms_of(script: Script) -> Terms:
    """The outermost sum whose one side uses the step's data and whose other side does not."""
    backward = next(entry for entry in script.entries if entry.kind == "backward")
    todo = [made.entry for made in marks_of(backward, Made)]
    while todo:
        number = todo.pop(0)
        entry = script.entries[number]
        sides = [leaf for leaf in entry.args if isinstance(leaf, Made)]
        if entry.kind == "op" and entry.name in ADD and len(sides) == 2:
            uses = (_uses_data(script, sides[0].entry), _uses_data(script, sides[1].entry))
            if uses[0] != uses[1]:
                return Terms(number, uses)
        if entry.kind == "op":
            todo += [made.entry for made in marks_of(entry, Made)]
    raise NotExamined("the loss is not a sum of an error and a term of the network's own")


def _uses_data(script: Script, number: int) -> bool:
    """Whether data of the step reaches this entry other than through the network."""
    todo, seen = [number], set[int]()
    while todo:
        place = todo.pop()
        entry = script.entries[place]
        if place in seen or entry.kind != "op":
            continue
        seen.add(place)
        if any(given.role == "data" and given.tensor.ndim > 0 for given in marks_of(entry, Given)):
            return True
        todo += [made.entry for made in marks_of(entry, Made)]
    return False


def term_values(twin: Twin, moment: Moment, terms: Terms) -> tuple[float, float]:
    """Error and penalty, as they stand in the sum."""
    seen: dict[int, Any] = {}
    entry = moment.script.entries[terms.add]

    def note(each: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if each is entry:
            seen[0] = [float(leaf.detach().sum()) for leaf in args if isinstance(leaf, Tensor)]
        return args, kwargs

    twin.again().loss(moment, change=note)
    pair = seen[0]
    return (pair[0], pair[1]) if terms.uses_data[0] else (pair[1], pair[0])


def lighter(moment: Moment, terms: Terms, factor: float) -> Callable[[Entry, Any, Any], tuple[Any, Any]]:
    """A change of the step: the term that uses no data weighs `factor` times as much."""
    entry = moment.script.entries[terms.add]
    place = 1 if terms.uses_data[0] else 0

    def change(each: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if each is not entry:
            return args, kwargs
        return tuple(leaf * factor if number == place else leaf for number, leaf in enumerate(args)), kwargs

    return change


def _curve(twin: Twin, train: list[Moment], held: list[Moment], factor: float) -> Curve:
    began = time.perf_counter()
    before = _error(twin, held)
    changes = [lighter(moment, terms_of(moment.script), factor) for moment in train]
    losses: list[float] = []
    for number in range(STEPS):
        place = number % len(train)
        losses.append(sum(twin.step(train[place], change=changes[place])))
        if not math.isfinite(losses[-1]) or time.perf_counter() - began > SECONDS:
            break
    return Curve(before, _error(twin, held), tuple(losses), len(losses))


def _error(twin: Twin, moments: list[Moment]) -> float:
    return sum(term_values(twin, moment, terms_of(moment.script))[0] for moment in moments) / len(moments)
