"""The terms that the total loss is a sum of, how hard each pulls at the weights, and how the weaker ones do when the strongest is eased."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Entry, Given, Made, Script, marks_of, play
from leadline.doctor.twin import Twin

ADDING = ("add", "__add__", "__radd__", "add_", "__iadd__")
SCALING = ("div", "__truediv__", "mul", "__mul__", "__rmul__", "true_divide", "div_", "mul_", "__imul__", "__itruediv__")
STRONG = 0.2  # times the others' pull at the start, where theirs is largest: less holds nobody back
MOMENTS = 4
STEPS = 30  # of the replay
LEARNT = 0.5  # of the weaker terms: what fell by half is learning
LEAST_EASED = 100.0  # a penalty's pull grows against that of a term that is being learnt
TRIES = 2  # of the replay per training: it takes a second


@dataclass(frozen=True)
class Spot:
    """Where a term is consumed: the argument `position` of entry `entry`. main: it compares with data, and no number below 1 weighs it."""

    entry: int
    position: int
    main: bool


@dataclass(frozen=True)
class Addends:
    """pulls: gradient norms of the terms at the start. strong: the number of the strongest, of those beside which a main term stands,
    where it pulls at least STRONG times as hard as the others together; None where there is none. rest_*: the others' sum at the start,
    now, after a replay with the strongest at 1/`eased`, and after the same replay as it is.
    """

    pulls: tuple[float, ...]
    strong: int | None
    eased: float = 1.0
    rest_start: float = math.nan
    rest_now: float = math.nan
    rest_eased: float = math.nan
    rest_as_is: float = math.nan

    @property
    def dominates(self) -> bool:
        """Whether the others fall three times as far, and by a tenth, once the strongest is eased."""
        if self.strong is None or not math.isfinite(self.rest_eased):
            return False
        unit = max(abs(self.rest_start), 1e-12)
        eased, run = (self.rest_start - self.rest_eased) / unit, (self.rest_start - self.rest_now) / unit
        as_is = (self.rest_start - self.rest_as_is) / unit if math.isfinite(self.rest_as_is) else -1.0
        return eased > max(3 * run, 3 * as_is, 0.1)


def measure(scene: Scene) -> Addends:
    """Raises NotExamined or NotReplayable."""
    moment = scene.first
    spots = scene.kept.setdefault("addends_spots", _spots(moment.script))
    if len(spots) < 2:
        raise NotExamined("the total loss is no sum of terms that could be heard")
    pulls, strong = scene.kept["addends_pulls"] if "addends_pulls" in scene.kept else _weigh(scene, moment, spots)
    scene.kept["addends_pulls"] = (pulls, strong)
    if strong is None:
        return Addends(pulls, None)
    same = [each for each in scene.moments if _spots(each.script) == spots][:MOMENTS]
    rest = [number for number in range(len(spots)) if number != strong]
    start, now = _value(scene.lab.at_start(), same, spots, of=rest), _value(scene.lab.now(), same, spots, of=rest)
    tried = scene.kept.get("addends_tries", 0)
    if tried >= TRIES or start - now > LEARNT * abs(start) or Evidence(scene)["learning"].verdict == "too early":
        return Addends(pulls, strong, rest_start=start, rest_now=now)
    scene.kept["addends_tries"] = tried + 1
    others = math.sqrt(sum(pull**2 for number, pull in enumerate(pulls) if number != strong))
    eased = max(LEAST_EASED, 10 * pulls[strong] / max(others, 1e-12))
    outcomes = [_replay(scene, same, spots, strong=strong, factor=factor) for factor in (1 / eased, 1.0)]
    return Addends(pulls, strong, eased, start, now, outcomes[0], outcomes[1])


def _replay(scene: Scene, moments: list[Moment], spots: list[Spot], *, strong: int, factor: float) -> float:
    """The other terms after a short training from the start with the strongest times `factor`."""
    twin = scene.lab.at_start()

    for number in range(STEPS):
        moment = moments[number % len(moments)]
        twin.step(moment, change=_scaling(moment.script, spots[strong], factor))
    return _value(twin, moments, spots, of=[number for number in range(len(spots)) if number != strong])


def _scaling(script: Script, spot: Spot, factor: float) -> Callable[[Entry, Any, Any], tuple[Any, Any]]:
    consumer = script.entries[spot.entry]

    def change(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if entry is not consumer:
            return args, kwargs
        return tuple(arg * factor if place == spot.position else arg for place, arg in enumerate(args)), kwargs

    return change


def _spots(script: Script) -> list[Spot]:
    """The terms of the last backward pass, where they are added up."""
    last = next((entry for entry in reversed(script.entries) if entry.kind == "backward"), None)
    begun = marks_of(last, Made)[:1] if last is not None else []
    return _terms(script, begun[0].entry) if begun else []


def _terms(script: Script, number: int) -> list[Spot]:
    """Of a sum (scaled or not): its terms, terms of terms included; nothing for what is no sum."""
    entry = script.entries[number]
    made = [(place, arg) for place, arg in enumerate(entry.args[:2]) if isinstance(arg, Made)] if isinstance(entry.args, tuple) else []
    if entry.kind != "op" or entry.shapes not in ([()], [(1,)]):
        return []
    if entry.name in SCALING and len(made) == 1:
        return _terms(script, made[0][1].entry)
    if entry.name not in ADDING:
        return []
    found: list[Spot] = []
    for place, arg in made:
        found += _terms_or_none(script, arg.entry) or [Spot(number, place, _is_main(script, arg.entry))]
    return found


def _terms_or_none(script: Script, number: int) -> list[Spot]:
    return _terms(script, number) if script.entries[number].name in ADDING else []


def _is_main(script: Script, number: int) -> bool:
    """Whether a term comes from data outside the network's calls, and is not weighed down by a number below 1."""
    entry = script.entries[number]
    numbers = [float(arg) for arg in entry.args[:2] if isinstance(arg, (int, float)) and not isinstance(arg, bool)]
    if entry.name in SCALING and numbers:
        down = numbers[0] > 1 if "div" in entry.name else abs(numbers[0]) < 1
        if down:
            return False
    waiting, seen = [number], set[int]()
    while waiting:
        place = waiting.pop()
        entry = script.entries[place]
        if place in seen or entry.kind != "op":
            continue
        seen.add(place)
        if any(given.tensor.numel() > 1 for given in marks_of(entry, Given)):
            return True
        waiting += [made.entry for made in marks_of(entry, Made)]
    return False


def _weigh(scene: Scene, moment: Moment, spots: list[Spot]) -> tuple[tuple[float, ...], int | None]:
    """Gradient norms of the terms, on the parameters that more than one of them reaches; and which one is the strongest by far."""
    twin = scene.lab.at_start()
    parameters = [p for p in twin.model.parameters() if p.requires_grad]
    grads: list[list[Tensor | None]] = []
    mains = [spot.main for spot in spots]

    def heard(total: Tensor, terms: dict[int, Tensor]) -> None:
        for number, term in terms.items():
            mains[number] = mains[number] or _is_heard(moment, term)
        for number in range(len(spots)):
            term = terms.get(number)
            share = torch.autograd.grad(total.sum(), term, retain_graph=True, allow_unused=True)[0] if term is not None else None
            if term is None or share is None:
                grads.append([None] * len(parameters))
                continue
            grads.append(list(torch.autograd.grad(term.sum() * share.sum(), parameters, retain_graph=True, allow_unused=True)))

    _ask(twin, moment, spots, heard)
    if len(grads) != len(spots):
        return (), None
    shared = [place for place in range(len(parameters)) if sum(g[place] is not None for g in grads) > 1]
    pulls = tuple(math.sqrt(sum(float(g.double().square().sum()) for place in shared if (g := each[place]) is not None)) for each in grads)
    beside_main = [number for number in range(len(pulls)) if any(main for other, main in enumerate(mains) if other != number)]
    strong = max(beside_main, key=lambda number: pulls[number], default=None)
    if strong is None:
        return pulls, None
    others = math.sqrt(sum(pull**2 for number, pull in enumerate(pulls) if number != strong))
    return pulls, strong if pulls[strong] > STRONG * others > 0 else None


def _is_heard(moment: Moment, term: Tensor) -> bool:
    """Whether a term is the very value of a loss function that was heard: of a network that computes its own losses."""
    values = [call.value for call in moment.losses if call.with_grad and call.value is not None and call.value.numel() == 1]
    return term.numel() == 1 and any(
        torch.allclose(value.cpu().reshape(()), term.detach().cpu().reshape(()), rtol=1e-4) for value in values
    )


def _value(twin: Twin, moments: list[Moment], spots: list[Spot], *, of: list[int]) -> float:
    """Mean over recorded steps of the sum of some terms, as they enter the total."""
    values: list[float] = []

    def heard(_total: Tensor, terms: dict[int, Tensor]) -> None:
        values.append(sum(float(terms[number].detach().double().sum()) for number in of if number in terms))

    for moment in moments:
        _ask(twin.again(), moment, spots, heard)
    return sum(values) / len(values) if values else math.nan


def _ask(twin: Twin, moment: Moment, spots: list[Spot], heard: Callable[[Tensor, dict[int, Tensor]], None]) -> None:
    """Do a step's forward pass again and hand out its terms, with their graph, at the last backward pass."""
    entries = moment.script.entries
    terms: dict[int, Tensor] = {}
    totals: list[Tensor] = []

    def change(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        for number, spot in enumerate(spots):
            if entry is entries[spot.entry] and isinstance(args[spot.position], Tensor):
                terms[number] = args[spot.position]
        return args, kwargs

    with torch.enable_grad():
        play(moment.script, twin.places, twin.module_at, change=change, backward=totals.append)
    if totals:
        heard(totals[-1], terms)
