"""One training step written down while the user's own code does it, so that it can be done again on a copy of the network.

Outside the network every torch operation of the step is noted with what it was given; a call of the network (or of a part of it) is one
entry. Done again on a copy, parameters are the copy's and all else is as it was: batches, targets, random draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from leadline.doctor.ears import is_busy

TENSOR_FIELDS = ("get_T", "get_mT", "get_H", "get_data", "get_grad", "get_real", "get_imag")
RANDOM = ("rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm", "bernoulli", "normal", "uniform", "random",
          "multinomial", "dropout", "dropout1d", "dropout2d", "alpha_dropout", "gumbel_softmax", "exponential", "poisson")  # fmt: skip
CLONED_MB = 64  # data up to here is copied, so that code which reuses its buffers cannot change what was written down


class NotReplayable(Exception):
    """Why this step cannot be done again."""


@dataclass(frozen=True)
class Made:
    """A tensor that entry number `entry` made: the `position`-th of its result's leaves."""

    entry: int
    position: int


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer of the watched network or of its optimizer, by its place in Places."""

    place: int


@dataclass(frozen=True)
class Given:
    """A tensor from outside the step: a batch, a target, a constant. role: "data", or "foreign" (needs grad, of another network)."""

    tensor: Tensor
    role: str = "data"


@dataclass
class Entry:
    """One operation, or one call of the network (`module` is its path in it; "" is the whole)."""

    kind: str  # "op", "call", "backward"
    name: str
    func: Callable[..., Any] | None
    args: Any
    kwargs: Any
    grad: bool
    autocast: tuple[str, torch.dtype] | None
    module: str | None = None
    training: bool | None = None
    shapes: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    num_results: int = 0
    random: Tensor | None = None  # the host generator before it, where it draws


class Places:
    """Parameters and buffers by identity: the same place in the original and in a copy."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors
        self.of = {id(tensor): number for number, tensor in enumerate(tensors)}


def is_tensor(value: Any) -> bool:
    """Whether a leaf is a tensor."""
    return isinstance(value, Tensor)


def flatten(value: Any) -> tuple[list[Any], Any]:
    """The leaves of nested tuples, lists, dicts and of plain objects that hold tensors in their fields."""
    leaves, spec = pytree.tree_flatten(value)
    return leaves, spec


class Tape(TorchFunctionMode):
    """Writes down the current step. Pushed while a step is recorded; steps aside inside the network."""

    def __init__(self, places: Places, path_of: dict[int, str]) -> None:
        super().__init__()
        self.places = places
        self.path_of = path_of  # id(module) -> its path
        self.entries: list[Entry] = []
        self.made: dict[int, Made] = {}
        self.given: dict[int, Given] = {}
        self.alive: list[Any] = []  # keeps identities from being used again within the step
        self.depth = 0
        self.random = torch.get_rng_state()  # as it was before the latest call of the network

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.depth or is_busy():
            return func(*args, **kwargs)
        name = _name(func)
        if name.startswith("get_") and name not in TENSOR_FIELDS:
            return func(*args, **kwargs)
        random = torch.get_rng_state() if name.rstrip("_") in RANDOM else None
        plan = self._written(args, kwargs)  # before the call: it may work in place
        self.depth += 1
        try:
            result = func(*args, **kwargs)
        finally:
            self.depth -= 1
        if _has_tensor(result) or name == "__setitem__":  # a backward pass is heard elsewhere; numbers cannot be done again
            self._note("op", name, func, plan, result).random = random
        return result

    def called(self, module: nn.Module, path: str, args: Any, kwargs: Any, result: Any) -> None:
        """The network, or a part of it, was called from outside with these."""
        entry = self._note("call", type(module).__name__, None, self._written(args, kwargs), result)
        entry.module, entry.training, entry.random = path, module.training, self.random

    def backward(self, tensors: Any, gradients: Any = None) -> None:
        """A backward pass begins at `tensors`."""
        self._note("backward", "backward", None, self._written((tensors, gradients), {}), None)

    def _note(self, kind: str, name: str, func: Any, plan: Any, result: Any) -> Entry:
        args, kwargs = plan if plan is not None else ((), {})
        entry = Entry(kind, name, func, args, kwargs, torch.is_grad_enabled(), _autocast())
        if result is not None:
            leaves, _ = flatten(result)
            for position, leaf in enumerate(leaves):
                if is_tensor(leaf):
                    self.made[id(leaf)] = Made(len(self.entries), position)
                    self.alive.append(leaf)
                    entry.shapes.append(tuple(leaf.shape))
            entry.num_results = len(leaves)
        self.entries.append(entry)
        return entry

    def _written(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        self.depth += 1  # what is done here is ours, not the user's
        try:
            return pytree.tree_map(self._mark, (tuple(args), dict(kwargs)))
        finally:
            self.depth -= 1

    def _mark(self, leaf: Any) -> Any:
        if not is_tensor(leaf):
            return leaf
        key = id(leaf)
        if key in self.made:
            return self.made[key]
        if key in self.places.of:
            return Weight(self.places.of[key])
        if key not in self.given:
            foreign = leaf.requires_grad
            small = leaf.numel() * leaf.element_size() <= CLONED_MB * 2**20
            self.given[key] = Given(leaf if foreign or not small else leaf.detach().clone(), "foreign" if foreign else "data")
            self.alive.append(leaf)
        return self.given[key]


@dataclass(frozen=True)
class Script:
    """A finished tape: what the step did up to its last backward pass."""

    entries: tuple[Entry, ...]
    problem: str | None

    @property
    def calls(self) -> list[Entry]:
        """The calls of the network."""
        return [entry for entry in self.entries if entry.kind == "call"]

    @property
    def foreign(self) -> list[Tensor]:
        """Trainable tensors of other networks that take part: an adversary, a teacher that learns, a critic."""
        given = [g for entry in self.entries for g in marks_of(entry, Given)]
        found = {id(g.tensor): g.tensor for g in given if g.role == "foreign" and g.tensor.is_leaf}
        return list(found.values())


def finished(tape: Tape, *, copy: bool = False) -> Script:
    """The script of a step: only what its backward passes depend on. copy: leave the tape as it is, because the step is not over."""
    wanted: set[int] = set()
    entries = [replace(entry) for entry in tape.entries] if copy else tape.entries
    for number in range(len(entries) - 1, -1, -1):
        entry = entries[number]
        if entry.kind == "backward" or number in wanted or (wanted and entry.kind == "op" and _in_place(entry, wanted)):
            wanted.add(number)
            wanted |= {made.entry for made in marks_of(entry, Made)}
    renumber = {old: new for new, old in enumerate(sorted(wanted))}
    kept = []
    for old in sorted(wanted):
        entry = entries[old]
        entry.args, entry.kwargs = pytree.tree_map(lambda leaf: _renumbered(leaf, renumber), (entry.args, entry.kwargs))
        kept.append(entry)
    problem = None if any(e.kind == "backward" for e in kept) else "no backward pass was heard in this step"
    return Script(tuple(kept), problem)


def play(
    script: Script,
    places: Places,
    module_at: Callable[[str], nn.Module],
    *,
    backward: Callable[[Tensor], None] | None = None,
    change: Callable[[Entry, Any, Any], tuple[Any, Any]] | None = None,
    watch: Callable[[int, Entry, Any], Any] | None = None,
) -> list[Tensor]:
    """Do the step again with other weights; the tensors that backward passes began at. The caller steps the optimizer.

    backward: what to do at each (default: tensor.backward). change: may replace the arguments of an entry. watch: sees each result and
    may replace it (None leaves it). Raises NotReplayable.
    """
    if script.problem:
        raise NotReplayable(script.problem)
    results: list[list[Any]] = []
    losses: list[Tensor] = []
    fresh: dict[int, Tensor] = {}

    def real(leaf: Any) -> Any:
        if isinstance(leaf, Made):
            return results[leaf.entry][leaf.position]
        if isinstance(leaf, Weight):
            return places.tensors[leaf.place]
        if isinstance(leaf, Given):
            if leaf.role == "foreign":  # a copy: a backward pass here must not reach the other network's own gradients
                return fresh.setdefault(id(leaf), leaf.tensor.detach().clone().requires_grad_())
            return fresh.setdefault(id(leaf), leaf.tensor.clone())
        return leaf

    for number, entry in enumerate(script.entries):
        args, kwargs = pytree.tree_map(real, (entry.args, entry.kwargs))
        if change is not None:
            args, kwargs = change(entry, args, kwargs)
        if entry.random is not None:
            torch.set_rng_state(entry.random)
        with _conditions(entry):
            if entry.kind == "backward":
                results.append([])
                _backward(args, losses, backward, keep_graph=any(e.kind == "backward" for e in script.entries[number + 1 :]))
                continue
            result = _call(module_at(entry.module), entry, args, kwargs) if entry.kind == "call" else entry.func(*args, **kwargs)  # pyright: ignore
        if watch is not None:
            changed = watch(number, entry, result)
            result = result if changed is None else changed
        leaves = [] if result is None else flatten(result)[0]  # x[i] = y gives nothing
        if len(leaves) != entry.num_results:
            raise NotReplayable(f"{entry.name} gave another structure on the copy")
        results.append(leaves)
    return losses


def _call(module: nn.Module, entry: Entry, args: Any, kwargs: Any) -> Any:
    if entry.training is not None and module.training != entry.training:
        module.train(entry.training)
    return module(*args, **kwargs)


def _backward(args: Any, losses: list[Tensor], backward: Callable[[Tensor], None] | None, *, keep_graph: bool) -> None:
    tensors, gradients = (leaf if isinstance(leaf, (tuple, list)) else (leaf,) for leaf in args)
    losses += [tensor for tensor in tensors if is_tensor(tensor)]
    if backward is None:
        given = list(gradients) if gradients[0] is not None else None
        torch.autograd.backward(list(tensors), given, retain_graph=keep_graph)
        return
    for tensor in tensors:
        backward(tensor)


@contextmanager
def _conditions(entry: Entry) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(torch.set_grad_enabled(entry.grad))
        if entry.autocast is not None:
            device, dtype = entry.autocast
            stack.enter_context(torch.autocast(device, dtype=dtype, cache_enabled=False))
        yield


def _autocast() -> tuple[str, torch.dtype] | None:
    for device in ("cpu", "cuda"):
        if torch.is_autocast_enabled(device):
            return device, torch.get_autocast_dtype(device)
    return None


def _name(func: Any) -> str:
    """ "matmul", "add_", "cross_entropy"; "get_data" for the field of a tensor."""
    name = getattr(func, "__name__", str(func))
    return f"get_{getattr(func.__self__, '__name__', '')}" if name == "__get__" else name


def _has_tensor(value: Any) -> bool:
    if isinstance(value, Tensor):
        return True
    return value is not None and any(is_tensor(leaf) for leaf in flatten(value)[0])


def marks_of(entry: Entry, kind: type) -> list[Any]:
    """Every Made, Weight or Given among the arguments of an entry."""
    return [
        leaf for leaf in pytree.tree_leaves((entry.args, entry.kwargs), is_leaf=lambda x: isinstance(x, kind)) if isinstance(leaf, kind)
    ]


def _renumbered(leaf: Any, renumber: dict[int, int]) -> Any:
    return Made(renumber[leaf.entry], leaf.position) if isinstance(leaf, Made) else leaf


def _in_place(entry: Entry, wanted: set[int]) -> bool:
    last = entry.name.rsplit(".", 1)[-1]
    works_in_place = last == "__setitem__" or (last.endswith("_") and not last.endswith("__")) or last.startswith("__i")
    return works_in_place and any(made.entry in wanted for made in marks_of(entry, Made))
