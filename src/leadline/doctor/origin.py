"""Where the first value that is not finite came from: a walk through the graph of a loss, forwards by what it saved, backwards by hooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NODES = 20_000  # of a graph, looked at
ROWS = 16  # named at most

WHY: dict[str, tuple[str, Callable[[Tensor], Tensor], str]] = {
    "log": ("self", lambda x: x <= 0, "the logarithm of 0 or less"),
    "log2": ("self", lambda x: x <= 0, "the logarithm of 0 or less"),
    "log10": ("self", lambda x: x <= 0, "the logarithm of 0 or less"),
    "log1p": ("self", lambda x: x <= -1, "log1p of -1 or less"),
    "div": ("other", lambda x: x == 0, "a division by 0"),
    "sqrt": ("result", lambda x: ~(x > 0), "the square root of 0 (its slope there is infinite) or less"),
    "rsqrt": ("result", lambda x: ~x.isfinite(), "1 / sqrt of 0"),
    "reciprocal": ("result", lambda x: ~x.isfinite(), "1 / 0"),
    "pow": ("self", lambda x: x <= 0, "a power at 0 or less"),
    "std": ("result", lambda x: ~(x > 0), "a standard deviation of 0 (its slope there is infinite) or of one value"),
    "exp": ("result", lambda x: ~x.isfinite(), "an exponential that overflows"),
    "acos": ("self", lambda x: x.abs() >= 1, "acos at the end of its range"),
    "asin": ("self", lambda x: x.abs() >= 1, "asin at the end of its range"),
    "softmax": ("result", lambda x: ~x.isfinite(), "a softmax over a row that is masked as a whole, or overflows"),
    "atanh": ("self", lambda x: x.abs() >= 1, "atanh at the end of its range"),
}  # what an operation saved, where it goes wrong, and that in words

PASSING = frozenset(
    (
        "relu",
        "leakyrelu",
        "threshold",
        "nativedropout",
        "view",
        "unsafeview",
        "reshapealias",
        "t",
        "transpose",
        "permute",
        "expand",
        "clone",
        "slice",
        "select",
        "squeeze",
        "unsqueeze",
        "index",
        "gather",
        "cat",
        "stack",
        "mean",
        "sum",
        "neg",
        "tocopy",
        "copyslices",
        "asstrided",
        "maxpool2dwithindices",
        "alias",
    )
)  # operations that only hand on what they got
ARGUMENT = {
    ("addmm", "mat1"): 1,
    ("addmm", "mat2"): 2,
    ("baddbmm", "batch1"): 1,
    ("baddbmm", "batch2"): 2,
    ("", "other"): 1,
    ("", "mat2"): 1,
    ("", "weight"): 1,
}  # the place of what was saved among an operation's arguments; else it is the first


@dataclass(frozen=True)
class Origin:
    """op: "sqrt". why: in words, where it is known. layer: path of the layer that computed it (own), or the nearest before it, or "".
    in_loss: after all layers. rows: of the batch, where its first axis is the batch's (None: cannot be told). kind: "op" made it of finite
    values, a "parameter" held it, or the "data".
    """

    kind: str
    op: str
    why: str
    layer: str
    in_loss: bool
    rows: tuple[int, ...] | None
    own: bool = False


class Graph:
    """The graph behind a loss. names: parameters by identity. size: rows of the batch. outputs: nodes that made the network's answers."""

    def __init__(self, loss: Tensor, names: dict[int, str], *, size: int | None, outputs: list[Any]) -> None:
        self.names, self.size = names, size
        self.nodes = sorted(_reachable(loss.grad_fn), key=_number)
        last = [_number(node) for node in outputs]
        self.network_ends = max(last) if last else max((_number(n) for n in self.nodes if self._layers(n)), default=0)

    def forward(self) -> Origin | None:
        """The first operation that made, or got, a value that is not finite. Before a backward pass: that frees what was saved."""
        held = [self.names.get(id(node.variable)) for node in self.nodes if _is_bad_leaf(node)]
        if held:
            return Origin("parameter", "", "", next((name for name in held if name), ""), False, None)
        steps = [(node, saved) for node in self.nodes if (saved := _saved(node))]
        for is_bad in (_is_plainly_bad, _is_bad):  # minus infinity is what masks are made of: it counts only when nothing else is wrong
            for node, saved in steps:
                found = self._made_or_got(node, saved, is_bad)
                if found is not None:
                    return found
        return next((o for node, saved in steps if (o := self._known(node, saved)) is not None), None)

    def backward(self, loss: Tensor) -> Origin | None:
        """Run the backward pass; the first operation whose gradient is not finite although what came to it was."""
        found: list[Origin] = []

        def look(node: Any, saved: dict[str, Tensor]) -> Callable[[Any, Any], None]:
            def hook(made: tuple[Any, ...], got: tuple[Any, ...]) -> None:
                bad = [g for g in made if isinstance(g, Tensor) and not bool(g.isfinite().all())]
                if not found and bad and all(bool(g.isfinite().all()) for g in got if isinstance(g, Tensor)):
                    known = self._known(node, saved)
                    found.append(known or self._origin(node, "op", "", self._rows(~bad[0].isfinite())))

            return hook

        handles = [node.register_hook(look(node, _saved(node))) for node in self.nodes if type(node).__name__ != "AccumulateGrad"]
        try:
            torch.autograd.backward([loss], [torch.ones_like(loss)])
        finally:
            for handle in handles:
                handle.remove()
        return found[0] if found else None

    def _made_or_got(self, node: Any, saved: dict[str, Tensor], is_bad: Callable[[Tensor], bool]) -> Origin | None:
        bad = {name: tensor for name, tensor in saved.items() if is_bad(tensor)}
        if not bad:
            return None
        got = {name: tensor for name, tensor in bad.items() if name not in ("result", "output")}
        if not got:
            made = node if operation(node) not in PASSING else self._maker(node, 0) or node
            rows = self._rows(_where_bad(next(iter(bad.values()))))
            return self._known(made, _saved(made)) or self._origin(made, "op", "", rows)
        name, tensor = next(iter(got.items()))
        maker = self._maker(node, ARGUMENT.get((operation(node), name), ARGUMENT.get(("", name), 0)))
        rows = self._rows(_where_bad(tensor))
        if maker is None:
            return self._origin(node, "data", "", rows)
        return self._known(maker, _saved(maker)) or self._origin(maker, "op", "", rows)

    def _maker(self, node: Any, argument: int) -> Any:
        """What computed an argument of an operation, behind what only passes values on; None for data."""
        while True:
            children = [child for child, _ in node.next_functions]
            node = children[argument] if argument < len(children) else None
            if node is None or operation(node) not in PASSING:
                return node
            argument = 0

    def _known(self, node: Any, saved: dict[str, Tensor]) -> Origin | None:
        """An operation whose saved values show why it goes wrong."""
        rule = WHY.get(operation(node))
        if rule is None or rule[0] not in saved:
            return None
        where = rule[1](saved[rule[0]].detach())
        is_spread = "self" in saved and saved["self"].ndim != where.ndim  # broadcast over the rows
        return self._origin(node, "op", rule[2], None if is_spread else self._rows(where)) if bool(where.any()) else None

    def _origin(self, node: Any, kind: str, why: str, rows: tuple[int, ...] | None) -> Origin:
        layers = self._layers(node)
        layer = layers[0] if layers else self._before(node)
        return Origin(kind, operation(node), why, layer, _number(node) > self.network_ends, rows, bool(layers))

    def _layers(self, node: Any) -> list[str]:
        """Layers whose own parameters this operation uses, directly or through a transpose."""
        near = [child for child, _ in node.next_functions if child is not None]
        leaves = [
            *near,
            *(g for child in near if operation(child) in ("t", "transpose", "tobf16", "to", "_tocopy") for g, _ in child.next_functions),
        ]
        names = [self.names[id(leaf.variable)] for leaf in leaves if hasattr(leaf, "variable") and id(leaf.variable) in self.names]
        return [name.rpartition(".")[0] for name in names]

    def _before(self, node: Any) -> str:
        """The latest layer that this operation's values went through."""
        for each in sorted(_reachable(node), key=_number, reverse=True):
            layers = self._layers(each)
            if layers:
                return layers[0]
        return ""

    def _rows(self, bad: Tensor) -> tuple[int, ...] | None:
        if self.size is None or bad.ndim == 0 or bad.shape[0] != self.size:
            return None
        return tuple(bad.flatten(1).any(1).nonzero().flatten()[:ROWS].tolist() if bad.ndim > 1 else bad.nonzero().flatten()[:ROWS].tolist())


def operation(node: Any) -> str:
    """ "sqrt" of SqrtBackward0."""
    return re.sub(r"Backward\d*$", "", type(node).__name__).lower()


def _reachable(node: Any) -> list[Any]:
    found: dict[Any, None] = {}
    waiting = [node]
    while waiting and len(found) < NODES:
        current = waiting.pop()
        if current is None or current in found:
            continue
        found[current] = None
        waiting += [child for child, _ in current.next_functions]
    return list(found)


def _number(node: Any) -> int:
    """Order of computing; leaves count as first."""
    return 0 if type(node).__name__ == "AccumulateGrad" else int(node._sequence_nr())


def _saved(node: Any) -> dict[str, Tensor]:
    """What the operation kept for its backward pass, by name; nothing where that was freed, or where it is safe at 0 (a square)."""
    power = getattr(node, "_saved_exponent", None)
    return {} if isinstance(power, (int, float)) and power >= 1 else dict(_pairs(node))


def _pairs(node: Any) -> Iterator[tuple[str, Tensor]]:
    for name in dir(node):
        if not name.startswith("_saved_"):
            continue
        try:
            value = getattr(node, name)
        except RuntimeError:  # freed by a backward pass
            return
        if isinstance(value, Tensor) and value.is_floating_point():
            yield name.removeprefix("_saved_"), value.detach()


def _is_plainly_bad(tensor: Tensor) -> bool:
    return bool(tensor.isnan().any()) or bool(tensor.isposinf().any())


def _is_bad(tensor: Tensor) -> bool:
    return not bool(tensor.isfinite().all())


def _where_bad(tensor: Tensor) -> Tensor:
    return tensor.isnan() | tensor.isposinf() if _is_plainly_bad(tensor) else ~tensor.isfinite()


def _is_bad_leaf(node: Any) -> bool:
    return type(node).__name__ == "AccumulateGrad" and _is_bad(node.variable.detach())
