"""One recorded step done again on a copy with every operation noted, inside the network too: which tensor came from which."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from leadline.doctor.ears import LOSSES
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Entry, flatten, play
from leadline.doctor.twin import Twin

SHAPE_ONLY = (
    "view", "reshape", "squeeze", "unsqueeze", "flatten", "transpose", "permute", "contiguous", "float", "double", "half",
    "bfloat16", "to", "clone", "detach", "__getitem__", "get_T", "get_mT", "get_data", "swapaxes", "movedim", "cpu", "type",
    "type_as", "ravel", "unflatten", "unbind", "chunk", "split", "select", "narrow", "t", "view_as", "reshape_as", "detach_",
    "requires_grad_", "squeeze_", "unsqueeze_", "as_strided", "index_select", "masked_select", "gather", "take_along_dim",
)  # fmt: skip
"""Operations that leave numbers as they are."""


@dataclass
class Node:
    """One tensor and the operation that made it. value: alive, with its graph. parents: of the tensors among args that were made here.

    inside: whether the network was at work.
    """

    name: str
    value: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parents: list[Node]
    inside: bool

    @property
    def learns(self) -> bool:
        """Whether its numbers hang on something trainable by a graph."""
        return self.value.requires_grad

    def given(self, place: int, name: str) -> Any:
        """An argument by place or name; None where it was not given."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name)

    @property
    def source(self) -> Node | None:
        """The first tensor that it was made from, where that was made here."""
        return self.parents[0] if self.parents else None


@dataclass
class Flow:
    """All nodes in the order of computing. ends: the tensors that backward passes began at. outputs: of the network's calls, as nodes."""

    nodes: list[Node] = field(default_factory=list[Node])
    ends: list[Tensor] = field(default_factory=list[Tensor])
    outputs: list[Node] = field(default_factory=list[Node])
    of: dict[int, Node] = field(default_factory=dict[int, Node])

    def node(self, tensor: Any) -> Node | None:
        """The node of a tensor."""
        return self.of.get(id(tensor))

    @property
    def losses(self) -> list[Node]:
        """Calls of torch's loss functions."""
        return [node for node in self.nodes if node.name in LOSSES]

    def ancestors(self, tensor: Any) -> Iterator[Node]:
        """Every node that a tensor came from, itself first."""
        start, seen = self.node(tensor), set[int]()
        waiting = [start] if start is not None else []
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            waiting += node.parents

    def slope(self, value: Tensor) -> Tensor | None:
        """Derivative of the sum of the step's losses by `value`; None where there is no path."""
        total = [end for end in self.ends if end.requires_grad]
        if not total or not value.requires_grad:
            return None
        parts = [torch.autograd.grad(end.sum(), value, retain_graph=True, allow_unused=True)[0] for end in total]
        found = [part for part in parts if part is not None]
        return torch.stack([part.double() for part in found]).sum(0) if found else None


class _Noting(TorchFunctionMode):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow, self.inside = flow, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = named(func)
        if name in ("__get__", "__set__"):
            return func(*args, **kwargs)
        leaves = pytree.tree_leaves((args, kwargs))
        parents = [self.flow.of[id(leaf)] for leaf in leaves if isinstance(leaf, Tensor) and id(leaf) in self.flow.of]
        result = func(*args, **kwargs)
        for leaf in flatten(result)[0] if not isinstance(result, Tensor) else [result]:
            if isinstance(leaf, Tensor):
                node = Node(name, leaf, tuple(args), dict(kwargs), parents, self.inside > 0)
                self.flow.nodes.append(node)
                self.flow.of[id(leaf)] = node
        return result


def noted(flow: Flow) -> TorchFunctionMode:
    """A mode under which every operation is noted in `flow`."""
    return _Noting(flow)


def named(func: Any) -> str:
    """As the tape has it; fields that do not hold numbers are "__get__"."""
    name = getattr(func, "__name__", str(func))
    if name == "__get__":
        inner = f"get_{getattr(func.__self__, '__name__', '')}"
        return inner if inner in ("get_T", "get_mT", "get_data") else "__get__"
    return name


def flow_of(twin: Twin, moment: Moment) -> Flow:
    """Do `moment` again on `twin`, without its backward passes, and note everything. Raises NotReplayable."""
    flow = Flow()
    noting = _Noting(flow)

    def watch(_number: int, entry: Entry, result: Any) -> None:
        if entry.kind == "call":
            flow.outputs += [flow.of[id(leaf)] for leaf in flatten(result)[0] if isinstance(leaf, Tensor) and id(leaf) in flow.of]

    handles = [
        twin.model.register_forward_pre_hook(lambda *_: _count(noting, 1)),
        twin.model.register_forward_hook(lambda *_: _count(noting, -1), always_call=True),
    ]
    try:
        with torch.enable_grad(), noting:
            play(moment.script, twin.places, twin.module_at, watch=watch, backward=flow.ends.append)
    finally:
        for handle in handles:
            handle.remove()
    return flow


def _count(noting: _Noting, by: int) -> None:
    noting.inside += by


def end_of(flow: Flow, tensor: Any) -> Node | None:
    """The operation that gave a tensor its numbers, changes of shape left out."""
    node = flow.node(tensor)
    while node is not None and node.parents:
        if node.name in ("stack", "cat", "concat"):
            ends = [end_of(flow, parent.value) for parent in node.parents]
            return ends[0] if len({end.name for end in ends if end is not None}) == 1 else node
        if node.name not in SHAPE_ONLY:
            return node
        node = node.parents[0]
    return node


SIGNATURES = {name: inspect.signature(getattr(torch.nn.functional, name)) for name in LOSSES}


def compared(node: Node) -> dict[str, Any]:
    """The arguments of a loss call by name; "input" and "target" are the first two."""
    try:
        given = SIGNATURES[node.name].bind(*node.args, **node.kwargs)
    except TypeError:
        return {}
    given.apply_defaults()
    values = list(given.arguments.values())
    return {**given.arguments, "input": values[0], "target": values[1]}
