"""What becomes of weights and optimizers between steps: set back, replaced, emptied; and of the graphs of steps long done."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.gauge import sampled

STRANGERS = 6  # optimizers not given to watch of which more than a record is kept: a GAN has one or two
RECORDS = 300  # of each kind: who has more of them repeats itself
PATIENCE = 64  # backward passes without a step before somebody should look


@dataclass
class Life:
    """An optimizer that was not given to watch: when it came, and what it steps.

    ours, all: its tensors that are the watched network's, and all of them. fresh: its state was empty. passes: how often the
    training loader had been begun when it came. shapes: of its tensors, as one number. fed: whether any of its tensors ever had a gradient.
    """

    step: int
    passes: int
    ours: int
    all: int
    fresh: bool
    lrs: tuple[float, ...]
    kind: str
    shapes: int
    steps: int = 0
    fed: bool = False


@dataclass(frozen=True)
class Jump:
    """The weights were changed between two steps by somebody else than an optimizer.

    same_as: "start" or "earlier" where they are exactly as they were before training or after an earlier jump. likeness: cosine between
    the matrices before and after (before: at the latest recorded step), None where there are too few numbers.
    """

    step: int
    passes: int
    same_as: str | None
    likeness: float | None


class _Heard(Protocol):
    """What of Heard is needed here."""

    model: nn.Module
    optimizers: list[Optimizer]
    own: dict[int, int]
    steps: list[Any]
    samples: dict[int, Any]
    strangers: dict[int, dict[str, Any]]
    train_loader: int | None
    named: list[tuple[str, Tensor]]
    backwards_since_step: int


@dataclass
class _Token:
    """Lives exactly as long as the graph node that it is attached to."""

    step: int


@dataclass
class Lives:
    """Kept beside Heard, which calls these methods at its events."""

    heard: _Heard
    lives: list[Life] = field(default_factory=list[Life])
    jumps: list[Jump] = field(default_factory=list[Jump])
    emptied: list[int] = field(default_factory=list[int])  # steps before which an optimizer's state had been emptied
    graphs: list[weakref.ref[_Token]] = field(default_factory=list["weakref.ref[_Token]"])
    graph_steps: list[int] = field(default_factory=list[int])
    passes_of: dict[int, int] = field(default_factory=dict[int, int])  # of a marked step: `passes` at it
    trained_on: set[int] = field(default_factory=set[int])  # ids of loaders
    averages: weakref.WeakSet[Any] = field(default_factory=lambda: weakref.WeakSet[Any]())  # torch's AveragedModels that were called
    start: list[Tensor] = field(default_factory=list[Tensor])
    latest: list[Tensor] = field(default_factory=list[Tensor])
    _versions: tuple[int, ...] | None = None
    _value: Tensor | None = None
    passes_at_step: int = 0  # `passes` when the last step ended
    _jumped_to: list[list[Tensor]] = field(default_factory=list[list[Tensor]])
    _had_state: dict[int, bool] = field(default_factory=dict[int, bool])

    def begin(self) -> None:
        """The weights as they are now are the start."""
        self.start = [sampled(p) for _, p in self.heard.named]
        self.latest = self.start

    @property
    def passes(self) -> int:
        """How often the loaders that training takes its batches from were begun: epochs, where there is a loader."""
        return sum(self.heard.samples[key].begun for key in self.trained_on if key in self.heard.samples)

    # -- optimizers --------------------------------------------------------------------------------------------------------------------

    def adopted(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer that was not given steps the watched parameters. Where it takes over another's, it takes its place."""
        known = self.heard.strangers.get(id(optimizer))
        if known is None:
            known = self._met(optimizer)
        known["steps"] += 1
        life: Life = known["life"]
        life.steps += 1
        if known["ours"] == 0:
            life.fed = life.fed or any(p.grad is not None for group in optimizer.param_groups for p in group["params"])
            return False
        self.heard.own[id(optimizer)] = number = self._place_of(optimizer)
        if number == len(self.heard.optimizers):
            self.heard.optimizers.append(optimizer)
        return True

    def _met(self, optimizer: Optimizer) -> dict[str, Any]:
        mine = {id(p) for p in self.heard.model.parameters()}
        theirs: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
        ours = sum(id(p) in mine for p in theirs)
        lrs = tuple(float(group["lr"]) for group in optimizer.param_groups)
        shapes = hash(tuple(sorted(tuple(p.shape) for p in theirs)))
        kind = type(optimizer).__name__
        life = Life(len(self.heard.steps), self.passes, ours, len(theirs), not optimizer.state, lrs, kind, shapes)
        if len(self.lives) < RECORDS:
            self.lives.append(life)
        strangers = self.heard.strangers
        while len(strangers) >= STRANGERS:  # one that is made anew each epoch would pile up its state in memory
            oldest = next(iter(strangers))
            del strangers[oldest]
            self.heard.own.pop(oldest, None)
        known = {"optimizer": optimizer, "since": len(self.heard.steps), "ours": ours, "all": len(theirs), "steps": 0, "life": life}
        strangers[id(optimizer)] = known
        return known

    def _place_of(self, optimizer: Optimizer) -> int:
        """The number of the optimizer whose parameters it took over, or a new number."""
        theirs = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for number, before in enumerate(self.heard.optimizers):
            if {id(p) for group in before.param_groups for p in group["params"]} == theirs:
                return number
        return len(self.heard.optimizers)

    def before_step(self, optimizer: Optimizer, number: int) -> None:
        """An optimizer of the watched network begins its step."""
        self.heard.optimizers[number] = optimizer  # two that take turns on the same parameters: the one at work
        if self._had_state.get(id(optimizer)) and not optimizer.state and len(self.emptied) < RECORDS:
            self.emptied.append(len(self.heard.steps))

    # -- weights -----------------------------------------------------------------------------------------------------------------------

    def closed(self, optimizer: Optimizer, weights: list[Tensor] | None) -> None:
        """A step is over. weights: samples of them, where the step was recorded."""
        self._had_state[id(optimizer)] = bool(optimizer.state)
        self._versions = self._probed()
        small = self._small
        self._value = small.detach().clone() if small is not None else None
        self.passes_at_step = self.passes
        if weights is not None:
            self.latest = weights

    def before_backward(self) -> None:
        """The first backward pass after a step: are the weights those that the step left?"""
        if self.heard.train_loader is not None:
            self.trained_on.add(self.heard.train_loader)
        if self._versions is None or len(self.jumps) >= RECORDS:
            return
        changed = self._probed() != self._versions
        if not changed and self.passes != self.passes_at_step and self._value is not None:  # .data and set_ leave no trace in the version
            small = self._small
            changed = small is not None and (small.shape != self._value.shape or not torch.equal(small.detach(), self._value))
        self._versions = None
        if changed:
            self._look_at_jump()

    def _probed(self) -> tuple[int, ...]:
        """Counters that torch raises whenever a tensor is written to: the first, the middle and the last."""
        named = self.heard.named
        return tuple(named[place][1]._version for place in sorted({0, len(named) // 2, len(named) - 1})) if named else ()

    @property
    def _small(self) -> Tensor | None:
        return next((p for _, p in self.heard.named if p.device.type == "cpu" and p.ndim > 1 and 0 < p.numel() <= 4096), None)

    def _look_at_jump(self) -> None:
        step = len(self.heard.steps)
        if self.jumps and self.jumps[-1].step == step - 1 and self.passes == self.passes_at_step:
            self.jumps.append(Jump(step, self.passes, None, 1.0))  # something done after every step: clipped weights, a projection
            return
        now = [sampled(p) for _, p in self.heard.named]
        same_as = None
        if _equal(now, self.start) and not _equal(self.latest, self.start):
            same_as = "start"
        elif any(_equal(now, before) for before in self._jumped_to) and not _equal(now, self.latest):
            same_as = "earlier"
        self.jumps.append(Jump(step, self.passes, same_as, likeness(self.latest, now)))
        self._jumped_to = [*self._jumped_to[-1:], now]

    # -- graphs ------------------------------------------------------------------------------------------------------------------------

    def mark(self, loss: Tensor) -> None:
        """Of a recorded step: tell later whether its graph still lives."""
        node: Any = loss.grad_fn
        if node is None or len(self.graphs) >= RECORDS:
            return
        token = _Token(len(self.heard.steps))
        node.metadata["leadline"] = token
        self.graphs.append(weakref.ref(token))
        self.graph_steps.append(token.step)
        self.passes_of[token.step] = self.passes

    @property
    def living_graphs(self) -> list[int]:
        """Steps whose graphs somebody still holds."""
        return [token.step for token in (ref() for ref in self.graphs) if token is not None]


def _equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(first, second, strict=True))


def likeness(before: list[Tensor], after: list[Tensor]) -> float | None:
    """Cosine over all sampled tensors of more than one value, the mean of each taken off (norm weights would all look alike)."""
    pairs = [(a.double(), b.double()) for a, b in zip(before, after, strict=True) if a.shape == b.shape and a.numel() >= 64]
    centred = [((a - a.mean()).cpu(), (b - b.mean()).cpu()) for a, b in pairs]
    dot = sum(float((a * b).sum()) for a, b in centred)
    norms = [sum(float((pair[side] ** 2).sum()) for pair in centred) ** 0.5 for side in (0, 1)]
    return dot / (norms[0] * norms[1]) if norms[0] * norms[1] > 0 else None
